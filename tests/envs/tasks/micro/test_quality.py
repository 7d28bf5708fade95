"""What a task is worth: right references, no idle steps, tests that tell near-misses apart."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest

from bai.envs.tasks.coding import CodingTask
from bai.envs.tasks.micro import MicroTaskSet
from bai.envs.tasks.micro.neighbours import neighbours
from bai.envs.tasks.micro.probes import BATTERY
from bai.envs.tasks.micro.task_set import program_of

TASKS = [task for split in ("train", "heldout") for task in islice(MicroTaskSet(split, seed=23), 400)]


def load(source: str) -> Callable[..., Any]:
    """The function ``f`` of our own trusted source."""
    names: dict[str, Any] = {}
    exec(source, names)
    function: Callable[..., Any] = names["f"]
    return function


def passes(source: str, task: CodingTask) -> bool:
    """Whether a trusted source passes the hidden tests."""
    function = load(source)
    return all(function(*case.args) == case.expected for case in task.hidden.cases)  # type: ignore[union-attr]


def test_references_pass() -> None:
    """The reference's text, executed, gives every public and hidden value."""
    for task in TASKS:
        assert passes(task.reference, task)
        assert all(load(task.reference)(*case.args) == case.expected for case in task.public)


def test_examples_in_the_prompt_are_the_public_cases() -> None:
    """The prompt ends with two calls that evaluate to True, and none of them is a hidden test."""
    for task in TASKS:
        examples = task.prompt.split("\n")[2:]
        assert len(examples) == len(task.public) == 2
        assert all(eval(example, {"f": load(task.reference)}) is True for example in examples)
        hidden = [case.args for case in task.hidden.cases]  # type: ignore[union-attr]
        assert all(case.args not in hidden for case in task.public)


def test_hidden_tests_are_several_and_hold_the_empty_case() -> None:
    """Eight cases at least, the empty or zero input among them, and their outputs differ."""
    for task in TASKS:
        cases = task.hidden.cases  # type: ignore[union-attr]
        assert len(cases) >= 8
        assert not cases[0].args[0]
        assert any(case.expected != cases[0].expected for case in cases)


def test_every_near_miss_fails_a_hidden_test() -> None:
    """A dropped, mistaken or misplaced step that shows anywhere on the battery shows in the hidden tests."""
    for task in TASKS:
        program = program_of(task.task_id)
        battery = BATTERY[program.takes]
        expected = program.outputs(battery)
        for other in neighbours(program):
            if other.outputs(battery) != expected:
                assert not passes(other.source, task), (task.task_id, other.source)


@pytest.mark.parametrize("source", ["def f(x):\n    return x", "def f(x):\n    return 0", "def f(x):\n    return []"])
def test_lazy_answers_fail(source: str) -> None:
    """Giving the argument back, or a constant, never passes."""
    assert not any(passes(source, task) for task in TASKS)


def test_no_step_is_idle() -> None:
    """Leaving out any step that can be left out changes at least three outputs on the battery."""
    for task in TASKS:
        program = program_of(task.task_id)
        battery = BATTERY[program.takes]
        expected = program.outputs(battery)
        for position, step in enumerate(program.steps):
            if step.operation.takes == step.operation.gives and len(program.steps) > 1:
                values = battery
                for other in program.steps[:position] + program.steps[position + 1 :]:
                    values = other.apply(values)
                assert sum(a != b for a, b in zip(values, expected, strict=True)) >= 3


def test_changing_arguments_leaves_the_battery_alone() -> None:
    """A caller that empties a case's arguments changes no later task."""
    tasks = MicroTaskSet(difficulty=2, seed=91)
    before = {kind: repr(values) for kind, values in BATTERY.items()}
    for task in islice(tasks, 50):
        for case in (*task.public, *task.hidden.cases):  # type: ignore[union-attr]
            if isinstance(case.args[0], list | dict):
                case.args[0].clear()
    assert before == {kind: repr(values) for kind, values in BATTERY.items()}
