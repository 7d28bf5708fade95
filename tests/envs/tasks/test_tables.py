"""Tables: seeded questions without end, whose splits are disjoint."""

from __future__ import annotations

import itertools
import pickle
import subprocess
import sys

import numpy as np
import pytest

from bai.envs.grading.notebook import accepts, judge
from bai.envs.tasks.notebook import Expected, NotebookTask
from bai.envs.tasks.notebook_sets import load_notebook_set
from bai.envs.tasks.tables import DIFFICULTIES, FAMILIES, TablesTaskSet
from bai.envs.tasks.tables.themes import HELD_OUT, TRAIN
from bai.errors import ConfigError, TaskNotFound, TaskSetNotFound


def some(count: int, **options: object) -> list[NotebookTask]:
    return list(itertools.islice(TablesTaskSet(**options), count))  # type: ignore[arg-type]


class TestTasks:
    """What a task is."""

    def test_an_id_says_everything(self) -> None:
        """The same id is the same task, in another process too."""
        task = some(1, family="plot", difficulty=2)[0]
        code = (
            "import pickle, sys; from bai.envs.tasks.tables import TablesTaskSet\n"
            f"sys.stdout.buffer.write(pickle.dumps(TablesTaskSet().get({task.task_id!r})))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=120)
        assert pickle.loads(done.stdout) == task == TablesTaskSet(split="heldout").get(task.task_id)

    def test_every_family_and_difficulty_comes(self) -> None:
        """In the iteration, and by the metadata."""
        kinds = {(task.metadata["family"], task.metadata["difficulty"]) for task in some(18)}
        assert kinds == set(itertools.product(FAMILIES, DIFFICULTIES))

    @pytest.mark.parametrize("split", ["train", "heldout"])
    def test_answers_are_asked_for_and_not_told(self, split: str) -> None:
        """The prompt names every value and every file; labels pass, and no other text does."""
        for task in some(180, split=split):
            assert task.expected and all(f"@{item.name}[...]" in task.prompt for item in task.expected)
            assert all(name in task.prompt for name in task.files)
            gold = " ".join(f"@{item.name}[{item.value}]" for item in task.expected)
            verdict = judge(task.expected, gold, pictures=1, wanted_pictures=task.wanted_pictures)
            assert verdict.score == 1.0
            assert judge(task.expected, "").score == 0.0

    def test_numbers_may_be_rounded_and_no_more(self) -> None:
        """Three digits either way, or all; the neighbours are wrong."""
        for task in some(36, difficulty=1):
            for item in task.expected:
                if "." not in item.value:
                    continue
                value = float(item.value)
                assert accepts(item, f"{value:.3f}") and accepts(item, f"{value:.5f}")
                assert not accepts(item, f"{value + 0.001:.6f}") and not accepts(item, f"{value - 0.001:.6f}")

    def test_questions_differ(self) -> None:
        """Numbers of tasks make other tables and other answers."""
        tasks = some(120)
        assert len({pickle.dumps(sorted(task.files.items())) for task in tasks}) == 120
        answers = {tuple(item.value for item in task.expected) for task in tasks}
        assert len(answers) > 110


class TestSplits:
    """Training and held-out tasks."""

    def test_are_about_other_things(self) -> None:
        """No table of one has a name of the other's."""
        names = [{theme.table for theme in themes} | {theme.group for theme in themes} for themes in (TRAIN, HELD_OUT)]
        assert not names[0] & names[1]
        tables = [{name for task in some(60, split=split) for name in task.files} for split in ("train", "heldout")]
        assert not tables[0] & tables[1]


class TestArguments:
    """What the set takes."""

    def test_a_draw_depends_on_the_generator_alone(self) -> None:
        """Families and difficulties are mixed as told."""
        tasks = TablesTaskSet(family=("group", "join"), difficulty=(2, 3))
        drawn = [tasks.sample(np.random.default_rng(7)).task_id for _ in range(2)]
        assert drawn[0] == drawn[1]
        rng = np.random.default_rng(0)
        kinds = {tuple(tasks.sample(rng).task_id.split("/")[2:4]) for _ in range(60)}
        assert kinds == {("group", "2"), ("group", "3"), ("join", "2"), ("join", "3")}

    @pytest.mark.parametrize(
        "options",
        [{"split": "test"}, {"family": "sums"}, {"family": ()}, {"difficulty": 4}, {"difficulty": True}, {"family": 3}],
    )
    def test_unknown_values_are_refused(self, options: dict[str, object]) -> None:
        """With what was expected."""
        with pytest.raises(ConfigError, match="must be"):
            TablesTaskSet(**options)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        "task_id", ["", "tables/train/group/4/000000000", "tables/train/group/1/1", "micro/train/1/0"]
    )
    def test_unknown_ids_are_refused(self, task_id: str) -> None:
        """With the form of an id."""
        with pytest.raises(TaskNotFound, match="expected an id"):
            TablesTaskSet().get(task_id)

    def test_sets_are_found_by_name(self) -> None:
        """Others are not, and filters that a set lacks are refused."""
        assert isinstance(load_notebook_set("tables", family=["group"]), TablesTaskSet)
        with pytest.raises(TaskSetNotFound, match="tables, dabench"):
            load_notebook_set("tabels")
        with pytest.raises(ConfigError, match="split"):
            load_notebook_set("dabench", split="train")

    def test_the_tolerance_is_the_task_s(self) -> None:
        """DABench's labels have none."""
        assert Expected(name="x", value="1").tolerance == 0.0
