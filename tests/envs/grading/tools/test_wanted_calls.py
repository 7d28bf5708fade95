"""Judging by the calls that were made."""

from __future__ import annotations

from typing import Any

import pytest

from bai.envs.grading.tools.base import Judgement, Record, TurnRecord
from bai.envs.grading.tools.wanted_calls import WantedCallsJudge
from bai.envs.tasks.tools import ToolTask
from bai.envs.tools.base import MadeCall, ToolCall
from bai.errors import ConfigError


def want(name: str, arguments: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "arguments": arguments or {}, "free": [], "defaults": {}, "optional": False, **more}


def judged(wanted: list[dict[str, Any]], *made: tuple[str, dict[str, Any]], fault: str | None = None) -> Judgement:
    task = ToolTask(task_id="t", prompt="", judge="wanted_calls", expected={"calls": wanted, "reading": ["look"]})
    calls = tuple(MadeCall(call=ToolCall(name=name, arguments=arguments), fault=fault) for name, arguments in made)
    return WantedCallsJudge().judge(task, Record(turns=(TurnRecord(calls=calls),)))


def test_the_wanted_calls_in_any_order_pass() -> None:
    """All of them, once each."""
    wanted = [want("look", {"x": 1}), want("set", {"y": "B"})]
    found = judged(wanted, ("set", {"y": "b"}), ("look", {"x": "1"}))
    assert found.verdict.status == "passed"
    assert found.terms == {"exact_calls": 1.0, "end_state": 1.0, "arguments": 1.0}


@pytest.mark.parametrize(
    "made",
    [
        (),
        (("look", {"x": 1}),),
        (("look", {"x": 1}), ("set", {"y": "c"})),
        (("look", {"x": 1}), ("set", {})),
        (("look", {"x": 1}), ("set", {"y": "b", "z": 2})),
        (("look", {"x": 1}), ("set", {"y": "b"}), ("set", {"y": "b"})),
        (("look", {"x": 1}), ("set", {"y": "b"}), ("drop", {})),
        (("look", {"x": 1}), ("set", {"y": "b"}), ("look", {}), ("look", {}), ("look", {})),
    ],
)
def test_missing_altered_added_and_further_calls_fail(made: tuple[tuple[str, dict[str, Any]], ...]) -> None:
    """A call that changes something is never forgiven, and one that reads only as often as calls are wanted."""
    found = judged([want("look", {"x": 1}), want("set", {"y": "b"})], *made)
    assert (found.verdict.status, found.terms["end_state"], found.terms["exact_calls"]) == ("failed", 0.0, 0.0)


def test_one_more_look_is_forgiven_but_told() -> None:
    """The verdict passes; the calls are not exact."""
    found = judged([want("set", {"y": "b"})], ("look", {}), ("set", {"y": "b"}))
    assert (found.verdict.score, found.terms["exact_calls"]) == (1.0, 0.0)


def test_free_arguments_may_be_anything() -> None:
    """Or be left out; others may be empty or what the documentation has as default."""
    wanted = [want("look", {"x": 1}, free=["note"], defaults={"page": "1"})]
    for arguments in ({}, {"note": "anything"}, {"page": 1}, {"z": ""}):
        assert judged(wanted, ("look", {"x": 1, **arguments})).verdict.score == 1.0
    assert judged(wanted, ("look", {"x": 1, "page": 2})).verdict.score == 0.0


def test_an_optional_call_may_be_made_or_not() -> None:
    """But only as it is wanted."""
    wanted = [want("look"), want("set", {"y": "b"}, optional=True)]
    assert judged(wanted, ("look", {})).verdict.score == 1.0
    assert judged(wanted, ("look", {}), ("set", {"y": "b"})).verdict.score == 1.0
    assert judged(wanted, ("look", {}), ("set", {"y": "c"})).verdict.score == 0.0


def test_calls_are_paired_so_that_as_many_as_can_be_serve() -> None:
    """A call that could serve two goes where no other can."""
    wanted = [want("set", {}, free=["a", "b"]), want("set", {"a": 1}, free=["b"])]
    assert judged(wanted, ("set", {"a": 1}), ("set", {"a": 2})).verdict.score == 1.0
    assert judged(wanted, ("set", {"a": 2}), ("set", {"a": 1})).verdict.score == 1.0
    assert judged(wanted, ("set", {"a": 2}), ("set", {"a": 3})).verdict.score == 0.0


def test_refused_calls_count_for_nothing() -> None:
    """Neither as wanted nor as one too many."""
    assert judged([want("set")], ("set", {}), fault="bad_arguments").verdict.score == 0.0
    assert judged([want("look", optional=True)], ("set", {}), fault="refused").verdict.score == 1.0


def test_arguments_are_measured_on_the_best_call() -> None:
    """Two of the three are right."""
    wanted = [want("set", {"a": 1, "b": 2}), want("look", {"c": 3})]
    found = judged(wanted, ("set", {"a": 1, "b": 9}), ("set", {"a": 8}), ("look", {"c": 3}))
    assert found.terms["arguments"] == pytest.approx(2 / 3)


def test_a_task_of_another_form_is_an_error() -> None:
    """It is the task's fault, so nobody is scored by it."""
    task = ToolTask(task_id="t", prompt="", judge="wanted_calls", expected=[])
    with pytest.raises(ConfigError, match="expects"):
        WantedCallsJudge().judge(task, Record(turns=(TurnRecord(),)))
