"""BFCL's judge of several turns, on a task of our own."""

from __future__ import annotations

from typing import Any

import pytest

from bai.envs.grading.tools.base import Judgement, Record, TurnRecord
from bai.envs.grading.tools.bfcl import BFCLCallsJudge, BFCLTurnsJudge
from bai.envs.tasks.tools import ToolTask
from bai.envs.tools.base import MadeCall, SourceSpec, ToolCall
from bai.envs.tools.registry import make_source
from bai.errors import ConfigError

TOUCH = ToolCall(name="touch", arguments={"file_name": "a"})
WRITE = ToolCall(name="echo", arguments={"content": "hello", "file_name": "a"})
COUNT = ToolCall(name="wc", arguments={"file_name": "a", "mode": "c"})
LOOK = ToolCall(name="ls")
TASK = ToolTask(
    task_id="files",
    prompt="make a file",
    later=("wait", "write to it and count"),
    sources=(SourceSpec(source="bfcl_file_system", key="GorillaFileSystem"), SourceSpec(source="bfcl_math")),
    judge="bfcl_turns",
    gold=((TOUCH,), "Done.", "Done.", (WRITE, COUNT), "Done."),
)


def judged(*turns: tuple[ToolCall, ...], task: ToolTask = TASK) -> Judgement:
    """Plays turns on the task's sources and judges what came of it."""
    sources = {spec.key: make_source(spec.source) for spec in task.sources}
    owner = {tool.name: source for source in sources.values() for tool in source.tools()}
    for spec in task.sources:
        sources[spec.key].begin(spec.setup)
    made = [
        TurnRecord(
            calls=tuple(MadeCall(call=call, result=owner[call.name].call(call.name, call.arguments)) for call in calls),
            answer="Done.",
        )
        for calls in turns
    ]
    return BFCLTurnsJudge().judge(
        task, Record(turns=tuple(made), end_states={key: source.end_state() for key, source in sources.items()})
    )


@pytest.mark.parametrize(
    "turns",
    [
        ((TOUCH,), (), (WRITE, COUNT)),
        ((LOOK, TOUCH), (LOOK,), (LOOK, WRITE, COUNT, LOOK)),
        ((TOUCH,), (), (WRITE, COUNT, COUNT)),
    ],
)
def test_the_gold_calls_pass_with_whatever_changes_nothing_between_them(
    turns: tuple[tuple[ToolCall, ...], ...],
) -> None:
    """States and results count; looking more often does not."""
    found = judged(*turns)
    assert found.verdict.status == "passed"
    assert found.terms["end_state"] == found.terms["turns"] == 1.0
    assert found.terms["exact_calls"] == float(turns == ((TOUCH,), (), (WRITE, COUNT)))


@pytest.mark.parametrize(
    ("turns", "right", "same"),
    [
        (((TOUCH,), (), (WRITE,)), 2, True),
        (((TOUCH,), (), ()), 2, False),
        (((), (TOUCH,), (WRITE, COUNT)), 0, True),
        (((TOUCH, WRITE), (), (COUNT,)), 0, True),
        (((TOUCH,), (), (COUNT, WRITE)), 2, True),
        (((TOUCH,),), 2, False),
        (((LOOK,), (), (LOOK,)), 0, False),
    ],
)
def test_a_turn_needs_its_own_state_and_the_gold_results(
    turns: tuple[tuple[ToolCall, ...], ...], right: int, same: bool
) -> None:
    """A missing result, a late or an early change, or an idle turn fails; ``turns`` tells how far it was right."""
    found = judged(*turns)
    assert found.verdict.status == "failed"
    assert (found.terms["end_state"], found.terms["turns"]) == (float(same), right / 3)


def test_a_result_that_was_heard_before_need_not_be_heard_again() -> None:
    """As in BFCL, results of earlier turns count, but each only as often as it was heard."""
    task = ToolTask(
        task_id="look",
        prompt="look",
        later=("and look again",),
        sources=(SourceSpec(source="bfcl_file_system", key="GorillaFileSystem"),),
        judge="bfcl_turns",
        gold=((LOOK,), "Done.", (LOOK,), "Done."),
    )
    pwd = ToolCall(name="pwd")
    assert judged((LOOK,), (pwd,), task=task).verdict.status == "passed"
    assert judged((pwd,), (LOOK,), task=task).verdict.status == "failed"


def test_calls_that_failed_and_calls_of_other_tools_change_nothing() -> None:
    """A fault is not executed again, nor is a tool that the user brought along."""
    foreign = MadeCall(call=ToolCall(name="weather"), result="rain")
    faulty = MadeCall(call=TOUCH, fault="failed", result="error")
    turns = [
        TurnRecord(calls=(foreign, faulty, MadeCall(call=TOUCH)), answer="Done."),
        TurnRecord(calls=(MadeCall(call=None, fault="unreadable"),), answer="Done."),
        TurnRecord(calls=(MadeCall(call=WRITE), MadeCall(call=COUNT)), answer="Done."),
    ]
    assert BFCLTurnsJudge().judge(TASK, Record(turns=tuple(turns))).verdict.status == "passed"


def test_a_task_without_the_form_that_the_judge_wants_is_refused() -> None:
    """``expected`` is a value from outside: what is wrong with it is said."""
    record = Record(turns=(TurnRecord(answer="x"),))
    several: tuple[Any, ...] = (None, {}, {"functions": {}, "calls": [{"f": {}}]}, {"functions": {}, "calls": 5})
    for expected in several:
        task = ToolTask(task_id="t", prompt="p", judge="bfcl_calls", expected=expected)
        with pytest.raises(ConfigError, match="'t' has not the 'expected'"):
            BFCLCallsJudge().judge(task, record)
    odd = {"f": {"properties": {"a": {"type": "decimal"}}, "required": []}}
    task = ToolTask(
        task_id="t", prompt="p", judge="bfcl_calls", expected={"functions": odd, "calls": [{"f": {"a": [1]}}]}
    )
    with pytest.raises(ConfigError, match="decimal"):
        BFCLCallsJudge().judge(task, record)


def test_a_call_that_cannot_be_read_is_a_wrong_one() -> None:
    """It counts among the calls, and where none is wanted it is one too many."""
    shapes: dict[str, Any] = {"f": {"properties": {}, "required": []}}
    unreadable = MadeCall(call=None, fault="unreadable")
    for wanted, made in (([{"f": {}}], (MadeCall(call=ToolCall(name="f")), unreadable)), ([], (unreadable,))):
        task = ToolTask(task_id="t", prompt="p", judge="bfcl_calls", expected={"functions": shapes, "calls": wanted})
        record = Record(turns=(TurnRecord(calls=made, answer="x"),))
        assert BFCLCallsJudge().judge(task, record).verdict.status == "failed"
