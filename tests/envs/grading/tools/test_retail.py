"""Judging a shop's episodes."""

from __future__ import annotations

from typing import Any

import pytest

from bai.envs.grading.tools.base import Judgement, Record, TurnRecord
from bai.envs.grading.tools.retail import MOST_SAID, RetailJudge
from bai.envs.tasks.tools import ToolTask
from bai.envs.tools.base import SourceSpec
from bai.errors import ConfigError

CHANGED = {"users": {}, "orders": {"#W1": {"status": "cancelled", "price": 3.0}}}
KEPT: dict[str, Any] = {"users": {}, "orders": {}}


def judged(
    state: Any, *answers: str | None, expected: Any = CHANGED, tell: tuple[str, ...] = (), later: int = 0
) -> Judgement:
    task = ToolTask(
        task_id="t",
        prompt="",
        later=("more",) * later,
        sources=(SourceSpec(source="retail"),),
        judge="retail",
        expected={"state": expected, "communicate": list(tell)},
    )
    record = Record(turns=tuple(TurnRecord(answer=answer) for answer in answers), end_states={"retail": state})
    return RetailJudge().judge(task, record)


def test_the_same_changes_pass() -> None:
    """Whatever led to them; 3 and 3.0 are one amount."""
    same = {"users": {}, "orders": {"#W1": {"status": "cancelled", "price": 3}}}
    found = judged(same, None)
    assert (found.verdict.score, found.terms["end_state"]) == (1.0, 1.0)
    assert "communicated" not in found.terms


@pytest.mark.parametrize("state", [KEPT, {"users": {"a": {}}, "orders": CHANGED["orders"]}, None])
def test_other_changes_fail(state: Any) -> None:
    """Fewer, or more."""
    assert judged(state, "Done.").verdict.score == 0.0


@pytest.mark.parametrize(
    ("tell", "answer", "share"),
    [
        (("1095.55",), "That is $1,095.55.", 1.0),
        (("481.50",), "It costs 481.5 dollars", 1.0),
        (("10",), "There are 10.", 1.0),
        (("10",), "There are 100 or 10.5", 0.0),
        (("20 hours", "64GB"), "It lasts 20 HOURS and has 32GB", 0.5),
        (("camera",), "", 0.0),
    ],
)
def test_what_has_to_be_told(tell: tuple[str, ...], answer: str, share: float) -> None:
    """Numbers as numbers, other texts without case; all of them for the verdict."""
    found = judged(CHANGED, "Hello", answer, tell=tell)
    assert (found.terms["communicated"], found.verdict.score) == (share, float(share == 1))


def test_naming_everything_is_not_telling() -> None:
    """Answers are bounded where something has to be told."""
    flood = " ".join(map(str, range(MOST_SAID // 3)))
    assert judged(CHANGED, flood, tell=("10",)).verdict.score == 0.0


@pytest.mark.parametrize(
    ("answers", "score"), [(("No.", "I cannot."), 1.0), (("No.", ""), 0.0), (("No.",), 0.0), ((None, "No."), 0.0)]
)
def test_keeping_all_as_it_is_wants_words(answers: tuple[str | None, ...], score: float) -> None:
    """An agent that says nothing has refused nothing."""
    assert judged(KEPT, *answers, expected=KEPT, later=1).verdict.score == score


def test_a_task_of_another_form_is_an_error() -> None:
    """It is the task's fault."""
    task = ToolTask(task_id="t", prompt="", judge="retail", expected={})
    with pytest.raises(ConfigError, match="expects"):
        RetailJudge().judge(task, Record(turns=(TurnRecord(),)))
