"""Right answers in other styles, wrong answers on purpose, and the normal form."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import pytest

from bai.envs.tasks.coding import CodingTask
from bai.envs.tasks.micro import MicroTaskSet, mutants, normal_form
from bai.envs.tasks.micro.styles import STYLES

TASKS = list(islice(MicroTaskSet(seed=31), 500))


def passes(source: str, task: CodingTask) -> bool:
    """Whether a trusted source passes the hidden tests."""
    names: dict[str, Any] = {}
    exec(source, names)
    return all(names["f"](*case.args) == case.expected for case in task.hidden.cases)  # type: ignore[union-attr]


@pytest.mark.parametrize("style", sorted(STYLES))
def test_every_style_passes(style: str) -> None:
    """Each style of each solution passes the task's hidden tests."""
    tasks = MicroTaskSet()
    assert all(passes(tasks.solution(task.task_id, style), task) for task in TASKS)  # type: ignore[arg-type]


def test_styles_differ_and_steps_is_the_reference() -> None:
    """``steps`` is the reference; the others read differently for most programs of several steps."""
    tasks = MicroTaskSet()
    assert all(tasks.solution(task.task_id) == task.reference for task in TASKS)
    forms = [{normal_form(tasks.solution(t.task_id, style)) for style in STYLES} for t in TASKS]  # type: ignore[arg-type]
    assert np.mean([len(form) for form in forms]) > 2


def test_mutants_fail_and_keep_the_shape() -> None:
    """Every mutant fails a hidden test, defines ``f``, is no other mutant and not the reference."""
    for task in TASKS[::5]:
        wrong = list(mutants(task, np.random.default_rng(0)))
        assert wrong
        assert len(set(wrong)) == len(wrong)
        assert task.reference not in wrong
        assert all(source.startswith("def f(") and not passes(source, task) for source in wrong)


def test_mutants_come_in_an_order_of_the_generator() -> None:
    """Equal generators give equal orders, and the set of mutants is always the same."""
    task = MicroTaskSet().get("micro/train/4/00000002a")
    one, same, other = (list(mutants(task, np.random.default_rng(seed))) for seed in (1, 1, 2))
    assert one == same != other
    assert sorted(one) == sorted(other)


def test_normal_form_forgets_names_and_keeps_constants() -> None:
    """Names, annotations, docstrings and layout don't count; constants, builtins and attributes do."""
    form = normal_form("def f(xs):\n    return sum([x + 1 for x in xs])")
    assert form == normal_form("def g(data: list) -> int:\n    '''Sums.'''\n    return sum( [y+1 for y in data] )")
    assert form != normal_form("def f(xs):\n    return sum([x + 2 for x in xs])")
    assert form != normal_form("def f(xs):\n    return max([x + 1 for x in xs])")
    assert normal_form("def f(x, y):\n    return x - y") != normal_form("def f(x, y):\n    return y - x")
