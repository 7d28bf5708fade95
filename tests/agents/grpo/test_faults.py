"""The budget ends a run with figures, and not before."""

from __future__ import annotations

import pytest

from bai.agents.grpo.faults import ErrorBudget, Faults
from bai.errors import ErrorBudgetExceeded


def make_budget(*, window: int = 3, lost: float = 0.25, deaths: int = 1) -> ErrorBudget:
    return ErrorBudget(window=window, max_lost_fraction=lost, max_runner_deaths=deaths)


def test_losses_up_to_the_budget_pass() -> None:
    """A quarter lost is within a budget of a quarter."""
    budget = make_budget()
    for _ in range(10):
        budget.charge(100, Faults(lost=25))


def test_losses_are_added_up_over_the_window() -> None:
    """One bad iteration among good ones passes; the message of a bad stretch says how bad, and why."""
    budget = make_budget()
    for lost in (0, 0, 60):
        budget.charge(100, Faults(lost=lost))
    with pytest.raises(ErrorBudgetExceeded, match=r"80 of 300 .*27%.*infra_errors 20.*SandboxDied"):
        budget.charge(100, Faults(lost=20, infra_errors=20, causes=["g/1: SandboxDied"]))


def test_old_faults_are_forgotten() -> None:
    """A death counts until the window has passed it."""
    budget = make_budget()
    budget.charge(10, Faults(runner_deaths=1))
    for _ in range(3):
        budget.charge(10, Faults())
    budget.charge(10, Faults(runner_deaths=1))
    with pytest.raises(ErrorBudgetExceeded, match="2 env runners died, and max_runner_deaths is 1"):
        budget.charge(10, Faults(runner_deaths=1))


def test_nothing_tolerated_means_nothing() -> None:
    """A budget of zero ends at the first loss."""
    budget = make_budget(lost=0.0, deaths=0)
    budget.charge(100, Faults())
    with pytest.raises(ErrorBudgetExceeded, match="1 of 200"):
        budget.charge(100, Faults(lost=1))
