"""The generator of problems: seeded, split, graded, and right."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bai.envs.grading.mathematics.grader import MathGrader
from bai.envs.grading.mathematics.parser import read
from bai.envs.tasks.maths.arithmetic import KINDS, LEVELS, NUMBERS, ArithmeticTaskSet
from bai.errors import ConfigError, TaskNotFound

IDS = st.builds(
    "arithmetic/{}/{}/{:09x}".format,
    st.sampled_from(["train", "heldout"]),
    st.sampled_from(LEVELS),
    st.integers(0, NUMBERS - 1),
)
SOME = [task for level in LEVELS for task in islice(ArithmeticTaskSet("train", level), 300)]


@given(IDS)
def test_an_id_says_everything(task_id: str) -> None:
    """Any number is a task of its split and level, the same whichever set gives it, and its answer is read."""
    task = ArithmeticTaskSet().get(task_id)
    assert task == ArithmeticTaskSet("heldout", 1, seed=7).get(task_id)
    _, split, level, _ = task_id.split("/")
    assert (task.metadata["split"], task.metadata["difficulty"]) == (split, int(level))
    assert read(task.gold).kind != "text"
    assert task.solution


def test_splits_share_no_question() -> None:
    """What is asked in train is never asked in heldout."""
    asked = {
        split: {task.prompt for level in LEVELS for task in islice(ArithmeticTaskSet(split, level), 500)}
        for split in ("train", "heldout")
    }
    assert not asked["train"] & asked["heldout"]


def test_every_kind_comes_up_from_its_level_on() -> None:
    """No kind is unreachable, and none comes before its level."""
    for level in LEVELS:
        found = {task.metadata["kind"] for task in SOME if task.metadata["difficulty"] == level}
        assert found == {name for name, (first, _) in KINDS.items() if first <= level}


def test_gold_answers_are_right_and_neighbours_wrong() -> None:
    """The gold answer earns all; one more than it, the empty answer and the question itself earn nothing."""
    grader = MathGrader(wall_s=60.0)
    for task in SOME:
        assert grader.grade(task, f"\\boxed{{{task.gold}}}").score == 1.0, task
        question = task.prompt.removesuffix("?").removesuffix("=")
        for wrong in (f"\\boxed{{{task.gold} + 1}}", "", task.prompt, f"\\boxed{{{question}}}"):
            assert grader.grade(task, wrong).score == 0.0, (task, wrong)


def test_the_first_level_is_easy() -> None:
    """Its questions are short and its answers whole numbers below a hundred."""
    easy = [task for task in SOME if task.metadata["difficulty"] == 1]
    assert all(len(task.prompt) < 50 and 0 <= int(task.gold) < 100 for task in easy)


def test_the_order_is_the_seed_s() -> None:
    """Equal seeds go through equal tasks, other seeds through others; draws depend on the generator alone."""
    first, again, other = (list(islice(ArithmeticTaskSet(seed=seed), 30)) for seed in (1, 1, 2))
    assert first == again != other
    tasks = ArithmeticTaskSet("heldout", (2, 3))
    drawn = [[tasks.sample(np.random.default_rng(seed)) for seed in range(20)] for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert {task.metadata["difficulty"] for task in drawn[0]} == {2, 3}


@pytest.mark.parametrize("arguments", [{"split": "test"}, {"difficulty": 0}, {"difficulty": ()}, {"difficulty": True}])
def test_wrong_arguments_are_refused(arguments: dict[str, object]) -> None:
    """With what was expected."""
    with pytest.raises(ConfigError, match="must be"):
        ArithmeticTaskSet(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "task_id", ["", "arithmetic/train/6/000000000", "arithmetic/train/1/1", "micro/train/1/000000000"]
)
def test_other_ids_are_not_found(task_id: str) -> None:
    """With an example of an id."""
    with pytest.raises(TaskNotFound, match="arithmetic/train"):
        ArithmeticTaskSet().get(task_id)
