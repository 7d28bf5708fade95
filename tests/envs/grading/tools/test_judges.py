"""The judges, on records."""

from __future__ import annotations

from typing import Any

import pytest

from bai.envs.grading.tools.base import Judgement, Record, TurnRecord
from bai.envs.grading.tools.registry import find_judge
from bai.envs.tasks.tools import GoldAction, ToolTask
from bai.envs.tools.base import MadeCall, SourceSpec, ToolCall
from bai.errors import ConfigError

CALL = ToolCall(name="set", arguments={"key": "a", "value": 1})
OTHER = ToolCall(name="set", arguments={"key": "b", "value": 1})


def task(judge: str, gold: tuple[GoldAction, ...] = ((CALL,), "done"), **fields: Any) -> ToolTask:
    given = {"task_id": "t", "prompt": "Do it.", "judge": judge, "sources": (SourceSpec(source="keys"),), **fields}
    return ToolTask(gold=gold, **given)


def turn(*calls: ToolCall, answer: str | None = "done", fault: str | None = None) -> TurnRecord:
    return TurnRecord(calls=tuple(MadeCall(call=one, fault=fault) for one in calls), answer=answer)


def judged(one: ToolTask, *turns: TurnRecord, state: Any = None, unreadable: str | None = None) -> Judgement:
    record = Record(turns=turns, end_states={"keys": state}, unreadable=unreadable)
    return find_judge(one.judge).judge(one, record)


class TestEndState:
    """What is left behind decides."""

    TASK = task("end_state", expected={"states": {"keys": {"a": 1}}})

    def test_the_gold_calls_pass(self) -> None:
        """With all measures at their most."""
        found = judged(self.TASK, turn(CALL), state={"a": 1})
        assert (found.verdict.status, found.verdict.score) == ("passed", 1.0)
        assert found.terms == {"exact_calls": 1.0, "arguments": 1.0, "end_state": 1.0}

    def test_other_calls_may_lead_there(self) -> None:
        """They pass too, and the measures tell."""
        found = judged(self.TASK, turn(OTHER, CALL), state={"a": 1.0})
        assert found.verdict.score == 1.0 and found.terms["exact_calls"] == 0.0 and found.terms["arguments"] == 1.0

    def test_another_state_fails(self) -> None:
        """Without saying what was expected."""
        found = judged(self.TASK, turn(CALL), state={"a": 2})
        assert found.verdict.score == 0.0 and found.terms["end_state"] == 0.0
        assert found.verdict.detail == "keys is not left as it was asked for"

    def test_a_state_that_cannot_be_looked_at_fails(self) -> None:
        """It is the agent's."""
        found = judged(self.TASK, turn(CALL), state={"a": 1}, unreadable="too large")
        assert found.verdict.score == 0.0 and found.verdict.detail == "too large" and found.terms["end_state"] == 0.0

    def test_an_episode_that_was_cut_fails(self) -> None:
        """Before its last turn ended, or began."""
        assert judged(self.TASK, turn(CALL, answer=None), state={"a": 1}).verdict.score == 0.0
        two = task("end_state", ((CALL,), "done", "done"), expected=self.TASK.expected, later=("And now?",))
        assert judged(two, turn(CALL), state={"a": 1}).verdict.score == 0.0
        assert judged(two, turn(CALL), turn(), state={"a": 1}).verdict.score == 1.0

    @pytest.mark.parametrize(
        ("wanted", "answer", "right"),
        [
            ("42", "It is 42.", True),
            ("42", "42.0", True),
            ("42", "6 times 7 is 42", True),
            ("42", "142", False),
            ("42", "42 or 43", False),
            ("42", " ".join(map(str, range(100))), False),
            ("-3", "-3", True),
            ("green 91", "It says: Green 91", True),
            ("green 91", "green 9", False),
            ("low", " ".join(["high low"] * 100), False),
            ("low", "", False),
        ],
    )
    def test_what_is_to_be_said(self, wanted: str, answer: str, right: bool) -> None:
        """The last number, or the text in so many words; naming all that it might be is not saying it."""
        asked = task("end_state", expected={"states": {"keys": 1}, "answer": wanted})
        assert judged(asked, turn(CALL, answer=answer), state=1).verdict.score == float(right)

    def test_where_no_tool_fits(self) -> None:
        """Saying so passes; silence, and any call, does not."""
        nothing = task("end_state", ("no",), expected={"states": {"keys": 1}})
        found = judged(nothing, turn(answer="I cannot."), state=1)
        assert found.verdict.score == 1.0 and found.terms == {"irrelevance": 1.0, "end_state": 1.0}
        for one in (turn(answer=" "), turn(CALL, answer="I cannot."), turn(answer=None)):
            found = judged(nothing, one, state=1)
            assert found.verdict.score == 0.0 and found.terms["irrelevance"] == 0.0

    @pytest.mark.parametrize(
        "expected", [None, {}, {"states": 3}, {"states": {}, "more": 1}, {"states": {}, "answer": 3}]
    )
    def test_a_task_that_expects_nothing_it_knows(self, expected: Any) -> None:
        """Is a mistake of the task's."""
        with pytest.raises(ConfigError, match="task t"):
            judged(task("end_state", expected=expected), turn(CALL))


class TestResultSet:
    """The rows decide."""

    @staticmethod
    def score(rows: Any, expected: Any, *, ordered: bool = False) -> float:
        one = task("result_set", expected={"columns": ["y"], "rows": expected, "ordered": ordered})
        found = judged(one, turn(CALL), state=None if rows is None else {"columns": ["x"], "rows": rows})
        assert found.terms == {"end_state": found.verdict.score}
        return found.verdict.score

    def test_rows(self) -> None:
        """Their order matters where it was asked for; names of columns never do."""
        assert self.score([[1], [2]], [[2], [1]]) == 1.0
        assert self.score([[1], [2]], [[2], [1]], ordered=True) == 0.0
        assert self.score([], []) == 1.0
        assert self.score([[1]], [[1], [1]]) == 0.0
        assert self.score(None, [[1]]) == 0.0

    def test_which_source(self) -> None:
        """The first, unless it is named."""
        two = (SourceSpec(source="sqlite"), SourceSpec(source="sqlite", key="keys"))
        one = task(
            "result_set", sources=two, expected={"columns": ["y"], "rows": [[1]], "ordered": False, "source": "keys"}
        )
        assert judged(one, turn(), state={"columns": ["x"], "rows": [[1]]}).verdict.score == 1.0
        with pytest.raises(ConfigError):
            judged(task("result_set", expected={"rows": [[1]]}), turn())


class TestCalls:
    """The calls decide."""

    def test_the_gold_calls_pass_and_others_fail(self) -> None:
        """In any order within a turn; each must have been answered."""
        both = task("calls", ((CALL, OTHER), "done"))
        assert judged(both, turn(OTHER, CALL)).verdict.score == 1.0
        assert judged(both, turn(CALL)).verdict.score == 0.0
        assert judged(both, turn(CALL, OTHER, CALL)).verdict.score == 0.0
        found = judged(both, turn(CALL, OTHER, fault="refused"))
        assert found.verdict.score == 0.0 and found.terms["arguments"] == 1.0

    def test_turn_by_turn(self) -> None:
        """A call in another turn is another call."""
        two = task("calls", ((CALL,), "done", (OTHER,), "done"), later=("And b.",))
        assert judged(two, turn(CALL), turn(OTHER)).verdict.score == 1.0
        assert judged(two, turn(CALL, OTHER), turn()).verdict.score == 0.0
        assert judged(two, turn(CALL)).verdict.score == 0.0

    def test_where_no_tool_fits(self) -> None:
        """Saying so passes."""
        assert judged(task("calls", ("no",)), turn(answer="no")).terms == {"irrelevance": 1.0}
        assert judged(task("calls", ("no",)), turn(CALL)).verdict.score == 0.0
        with pytest.raises(ConfigError):
            judged(task("calls", expected=[]), turn())


def test_judges_are_found_by_name() -> None:
    """An unknown one is told with those there are."""
    with pytest.raises(ConfigError, match="there is no judge of tools 'mood'; there are"):
        find_judge("mood")
