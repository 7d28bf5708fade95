"""Figures of an evaluation: what counts, what is left out, and what is said of both."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bai.errors import ConfigError
from bai.evals.summary import MAX_LOST, compare, status_of, summarise, tally, tries
from bai.types import Trajectory

Make = Callable[..., Trajectory]


def test_counts_by_task(make: Make) -> None:
    """Samples, passes and losses are counted task by task, in order of appearance."""
    rows = [make("b"), make("a", "failed"), make("a"), make("a", "timeout"), make("b", error="SandboxDied")]
    tallies = tally(rows)
    assert list(tallies) == ["b", "a"]
    assert (tallies["a"].samples, tallies["a"].passed, tallies["a"].lost) == (3, 1, 0)
    assert (tallies["b"].samples, tallies["b"].passed, tallies["b"].lost) == (1, 1, 1)
    assert tallies["a"].mean_reward == pytest.approx(1 / 3)


@pytest.mark.parametrize("fault", [{"error": "SandboxDied"}, {"status": "infra_error"}])
def test_a_fault_of_the_machinery_is_no_score(make: Make, fault: dict[str, str]) -> None:
    """Losing samples changes neither pass@1 nor the reward; only the count of losses tells."""
    whole = [make("a"), make("a", "failed"), make("b", "failed")]
    figures = summarise([*whole, make("b", **fault)])
    assert figures.pass_at[1] == summarise(whole).pass_at[1]
    assert figures.reward == summarise(whole).reward
    assert (figures.samples, figures.lost, figures.lost_share) == (3, 1, 0.25)
    assert not figures.is_trustworthy


def test_a_task_lost_altogether_is_not_a_zero(make: Make) -> None:
    """A task without a single counted sample takes no part in the mean."""
    figures = summarise([make("a"), make("b", error="SandboxDied")])
    assert figures.pass_at[1].value == 1.0
    assert figures.pass_at[1].tasks == 1


def test_trust_ends_at_two_percent(make: Make) -> None:
    """Two lost of a hundred are borne, three are not; nothing scored is never to be trusted."""
    assert MAX_LOST == 0.02
    good = [make(str(i)) for i in range(98)]
    lost = [make(str(i), error="SandboxDied") for i in range(3)]
    assert summarise(good + lost[:2]).is_trustworthy
    assert not summarise(good + lost).is_trustworthy
    assert not summarise([]).is_trustworthy


@pytest.mark.parametrize("status", ["failed", "timeout", "crashed", "memory", "tampered", None])
def test_every_other_end_is_a_failure(make: Make, status: str | None) -> None:
    """Whatever is not passed and not the machinery's fault counts as not passed."""
    figures = summarise([make("a", status)])
    assert figures.pass_at[1].value == 0.0
    assert figures.statuses == {status or "ungraded": 1}


def test_pass_at_k_by_hand(make: Make) -> None:
    """One of two passes on each task: pass@1 is a half and pass@2 is one."""
    rows = [make(task, status) for task in "ab" for status in ("passed", "failed")]
    figures = summarise(rows)
    assert [(k, e.value) for k, e in figures.pass_at.items()] == [(1, 0.5), (2, 1.0)]


@pytest.mark.parametrize(
    ("samples", "expected"), [(0, ()), (1, (1,)), (4, (1, 2, 4)), (5, (1, 2, 4, 5)), (10, (1, 2, 4, 8, 10))]
)
def test_values_of_k(samples: int, expected: tuple[int, ...]) -> None:
    """Powers of two, and the number of samples itself."""
    assert tries(samples) == expected


def test_groups_by_difficulty(make: Make) -> None:
    """Pass@1 is broken down by difficulty in numerical order; tasks without it are left out of the table."""
    rows = [make(f"t{d}", "passed" if d < 3 else "failed", metadata={"difficulty": d}) for d in (10, 2, 1)]
    groups = summarise([*rows, make("other")]).groups["difficulty"]
    assert {value: estimate.value for value, estimate in groups.items()} == {"1": 1.0, "2": 1.0, "10": 0.0}
    assert list(groups) == ["1", "2", "10"]


def test_a_summary_is_json(make: Make) -> None:
    """The form for machines is plain JSON without NaN."""
    row = summarise([make("a", error="SandboxDied")]).to_json()
    assert json.loads(json.dumps(row, allow_nan=False)) == row


def test_status_names_faults_first(make: Make) -> None:
    """A trajectory with an error is a fault whatever its verdict says."""
    assert status_of(make(error="SandboxDied")) == "infra_error"
    assert status_of(make(status=None)) == "ungraded"
    assert status_of(make(status="crashed")) == "crashed"


class TestCompare:
    """Two evaluations of the same tasks."""

    @given(st.lists(st.booleans(), min_size=2, max_size=8))
    def test_the_gain_is_the_difference_of_the_means(self, make: Make, after: list[bool]) -> None:
        """The estimate is the difference of the two pass@1."""
        before = [make(str(i), "failed") for i in range(len(after))]
        later = [make(str(i), "passed" if won else "failed") for i, won in enumerate(after)]
        assert compare(before, later).value == pytest.approx(np.mean(after))

    def test_order_does_not_matter(self, make: Make) -> None:
        """Tasks are paired by their ids."""
        before = [make("a", "failed"), make("b")]
        assert compare(before, [make("b"), make("a", "failed")]).high == 0.0

    def test_needs_the_same_tasks(self, make: Make) -> None:
        """A task on one side only is refused, and named."""
        with pytest.raises(ConfigError, match="1 are on one side only, such as b"):
            compare([make("a")], [make("a"), make("b")])


def test_parts_of_the_reward_are_averaged_over_the_tasks_that_have_them(make: Make) -> None:
    """A task counts once, however many samples it has; what was lost to the machinery does not."""
    rows = [
        make("a", reward_terms={"end_state": 1.0, "arguments": 0.5}),
        make("a", reward_terms={"end_state": 0.0}),
        make("b", reward_terms={"end_state": 0.0}),
        make("b", error="SandboxDied", reward_terms={"end_state": 1.0}),
    ]
    terms = summarise(rows).terms
    assert {name: (one.value, one.tasks) for name, one in terms.items()} == {
        "end_state": (0.25, 2),
        "arguments": (0.5, 1),
    }
    assert list(json.loads(json.dumps(summarise(rows).to_json()))["terms"]) == ["end_state", "arguments"]
