"""BFCL's own answers: every one of them is right, and altered it is wrong."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bai.envs.grading.tools.base import Record, TurnRecord
from bai.envs.grading.tools.bfcl import BFCLCallsJudge
from bai.envs.tasks.bfcl import gold_call
from bai.envs.tasks.tool_sets import load_tool_set
from bai.envs.tasks.tools import ToolTask
from bai.envs.tools.base import MadeCall, ToolCall

pytestmark = pytest.mark.data

SIZES = {"bfcl_simple": 400, "bfcl_multiple": 200, "bfcl_parallel": 200}
ALIEN = "xqzv"
"""Letters that no right value holds."""


def judged(task: ToolTask, calls: list[ToolCall]) -> bool:
    """Whether the judge passes these calls."""
    turn = TurnRecord(calls=tuple(MadeCall(call=call) for call in calls))
    return BFCLCallsJudge().judge(task, Record(turns=(turn,))).verdict.status == "passed"


def golds_of(task: ToolTask) -> list[ToolCall]:
    (action,) = task.gold
    assert not isinstance(action, str)
    return list(action)


def answers(task: ToolTask) -> list[tuple[str, dict[str, list[Any]]]]:
    return [pair for call in task.expected["calls"] for pair in call.items()]


def every_form(name: str, allowed: dict[str, list[Any]]) -> Iterator[ToolCall]:
    """Gives calls in which every right value of every parameter comes once, the others being the first."""
    full = {key: [value for value in values if value != ""] for key, values in allowed.items()}
    first = {key: values[:1] for key, values in full.items() if values}
    for key, values in full.items():
        for value in values:
            yield gold_call(name, {**first, key: [value]})


def other_value(value: Any, allowed: list[Any], rng: random.Random) -> Any:
    """Gives a value that is none of the allowed ones, by what it is made of; None where that cannot be told."""
    if isinstance(value, bool):
        return None if (not value) in allowed else not value
    if isinstance(value, (int, float)):
        beyond = max(abs(right) for right in allowed if isinstance(right, (int, float))) + rng.randint(1, 50)
        return rng.choice([beyond, f"{value} {ALIEN}"])
    if isinstance(value, str):
        return rng.choice([f"{value} {ALIEN}", ALIEN, 10**9])
    if isinstance(value, list):
        longest = max((right for right in allowed if isinstance(right, list)), key=len)
        return rng.choice([[*longest, ALIEN], [*value[:-1], ALIEN], ALIEN])
    if isinstance(value, dict):
        return {**value, ALIEN: 1}
    return ALIEN


def alterations(task: ToolTask, rng: random.Random) -> Iterator[tuple[str, list[ToolCall]]]:
    """Gives the gold calls with one argument altered, dropped, added or renamed, for every argument of one of them."""
    golds, truth = golds_of(task), answers(task)
    index = rng.randrange(len(golds))
    call, allowed = golds[index], truth[index][1]

    def replaced(**arguments: Any) -> list[ToolCall]:
        return [*golds[:index], ToolCall(name=call.name, arguments=arguments), *golds[index + 1 :]]

    for name, value in call.arguments.items():
        rest = {key: other for key, other in call.arguments.items() if key != name}
        other = other_value(value, allowed[name], rng)
        if other is not None:
            yield "altered", replaced(**rest, **{name: other})
        if "" not in allowed[name]:
            yield "dropped", replaced(**rest)
        yield "renamed", replaced(**rest, **{f"{name}_{ALIEN}": value})
    yield "added", replaced(**call.arguments, **{ALIEN: rng.randint(0, 9)})
    yield "another function", [*golds[:index], ToolCall(name=f"{call.name}_{ALIEN}", arguments=call.arguments)]
    yield "one call more", [*golds, golds[index]]
    yield "one call less", golds[:index] + golds[index + 1 :]


@pytest.mark.parametrize("name", SIZES)
def test_every_answer_is_right_in_all_its_forms(name: str, data_dir: Path) -> None:
    """The shortest call of each answer passes, and so does every right value of every parameter."""
    tasks = list(load_tool_set(name))
    assert len(tasks) == SIZES[name]
    for task in tasks:
        golds = golds_of(task)
        assert judged(task, golds), task.task_id
        assert judged(task, golds[::-1]), task.task_id
        for index, (function, allowed) in enumerate(answers(task)):
            for call in every_form(function, allowed):
                assert judged(task, [*golds[:index], call, *golds[index + 1 :]]), (task.task_id, call)


def test_altered_answers_are_wrong(data_dir: Path) -> None:
    """One argument altered, dropped, added or renamed makes every answer wrong, in well over 2,000 seeded cases."""
    count: Counter[str] = Counter()
    for task in itertools.chain.from_iterable(map(load_tool_set, SIZES)):
        for kind, calls in alterations(task, random.Random(f"altered {task.task_id}")):
            count[kind] += 1
            assert not judged(task, calls), (task.task_id, kind, calls)
    assert min(count[kind] for kind in ("altered", "dropped", "added", "renamed")) > 500
    assert sum(count[kind] for kind in ("altered", "dropped", "added", "renamed")) >= 2_000


def test_where_no_tool_fits_no_call_is_right(data_dir: Path) -> None:
    """Every declared function called is wrong, silence is wrong, and words are right."""
    tasks = list(load_tool_set("bfcl_irrelevance"))
    assert len(tasks) == 240
    judge = BFCLCallsJudge()
    for task in tasks:
        assert not any(judged(task, [ToolCall(name=tool.name)]) for tool in task.tools)
        for answer, status in (("I cannot do this.", "passed"), (" ", "failed"), (None, "failed")):
            found = judge.judge(task, Record(turns=(TurnRecord(answer=answer),)))
            assert found.verdict.status == status
            assert found.terms == {"irrelevance": float(status == "passed")}
