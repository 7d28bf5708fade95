"""Whether a task is resolved, from what its tests' log says.

The rules are SWE-bench's (``swebench.harness.grading`` of release 5): every fail-to-pass test passes, and every
pass-to-pass test passes or is skipped; an expected test that the log does not mention has failed. Four things are
stricter. A test that a line says failed counts as failed, whatever a later line says. A status that is none of the
known ones is a failure, where SWE-bench leaves such a test out of both counts. In a run of ours, a test that was
skipped or failed as expected has failed unless its files say that it may (:mod:`bai.envs.grading.given_up`). And such a
run counts only if a test that was made to fail, under a name drawn at random, did fail, and the runner's exit code
agrees.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from bai.envs.grading.logs import FAILING, LogReading
from bai.envs.tasks.repair import EvalType, RepairTask
from bai.envs.tasks.swebench_parsers import PYTEST_PARSERS

__all__ = ["Examination", "Resolution", "examine", "resolve"]

_BY_A_SIGNAL = 128
"""A shell's exit code of a command that a signal ended is above this; the system's is below 0."""
_PASSING = frozenset({"PASSED", "XFAIL"})
_MAINTAINED = _PASSING | {"SKIPPED"}


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """What became of the expected tests."""

    fail_to_pass: Mapping[str, bool] = field(repr=False)
    """Of each test that must pass now, whether it does."""
    pass_to_pass: Mapping[str, bool] = field(repr=False)
    """Of each test that must still pass, whether it does."""
    missing: frozenset[str] = field(default_factory=frozenset, repr=False)
    """Expected tests that the log does not mention."""

    @property
    def kept(self) -> bool:
        """Whether everything that passed before still does."""
        return all(self.pass_to_pass.values())

    @property
    def resolved(self) -> bool:
        """Whether everything that must pass does."""
        return self.kept and all(self.fail_to_pass.values())

    @property
    def fraction(self) -> float:
        """Share of fail-to-pass tests that pass, in [0, 1]; 0.0 unless everything that passed before still does."""
        if not self.kept:
            return 0.0
        return sum(self.fail_to_pass.values()) / len(self.fail_to_pass) if self.fail_to_pass else 1.0


@dataclass(frozen=True, kw_only=True)
class Examination:
    """What a run of a task's tests shows."""

    resolution: Resolution
    """What became of the expected tests, as far as the log is to be believed."""
    tampering: tuple[str, ...] = ()
    """Signs that what was judged took part in the judging, each a clause that names no test; none if empty."""
    whole: bool = False
    """Whether the runner came to its end by itself, and the test that was made to fail did."""
    given_up: frozenset[str] = field(default_factory=frozenset, repr=False)
    """Expected tests that gave up though no file says that they may."""

    @property
    def resolved(self) -> bool:
        """Whether the task is resolved and nothing speaks against the run."""
        return self.resolution.resolved and self.whole and not self.tampering


def resolve(
    statuses: Mapping[str, str],
    fail_to_pass: Sequence[str],
    pass_to_pass: Sequence[str],
    eval_type: EvalType = "pass_and_fail",
    *,
    failed: Collection[str] = (),
) -> Resolution:
    """Decides from statuses as ``swebench.harness.grading`` does.

    676 expected tests of SWE-bench Verified have names that were cut within their parameters, such as
    ``test_fail[log(photon``. A name with more opening than closing brackets stands for the tests that begin with it, if
    they agree on passing.

    Args:
        statuses: Test to status.
        fail_to_pass: Tests that must pass.
        pass_to_pass: Tests that must pass or be skipped.
        eval_type: With ``fail_only`` a test has failed only where its status is ``FAILED``.
        failed: Tests that have failed whatever their status is.
    """
    found = {**statuses, **dict.fromkeys(failed, "FAILED")}
    expected = {test: _key(test, found) for test in (*fail_to_pass, *pass_to_pass)}

    def good(test: str, statuses_that_do: Collection[str]) -> bool:
        if eval_type == "fail_only":
            return found.get(test) != "FAILED"
        key = expected[test]
        return key is not None and found[key] in statuses_that_do

    return Resolution(
        fail_to_pass={test: good(test, _PASSING) for test in fail_to_pass},
        pass_to_pass={test: good(test, _MAINTAINED) for test in pass_to_pass},
        missing=frozenset(test for test, key in expected.items() if key is None),
    )


def examine(
    task: RepairTask,
    reading: LogReading,
    *,
    exit_code: int | None,
    sentinel: str,
    twin: str | None = None,
    given_up: Collection[str] = (),
) -> Examination:
    """Decides whether a run of a task's tests counts, and what it shows.

    Args:
        task: The task.
        reading: What the tests' output says.
        exit_code: The test command's, from a shell or from the system; None where a limit ended it.
        sentinel: A random word in the name of the test that was made to fail, and in no other.
        twin: The name of the test that it is a copy of, if it is one: where that fails, by chance the copy may pass.
        given_up: Tests that gave up though no file says that they may; they have failed.
    """
    failed = {*reading.conflicts, *given_up}
    resolution = resolve(reading.statuses, task.fail_to_pass, task.pass_to_pass, task.eval_type, failed=failed)
    planted = [status for test, status in reading.statuses.items() if sentinel in test]
    sentinel_failed = bool(planted) and all(status in FAILING for status in planted)
    by_chance = any(twin in test and status in FAILING for test, status in reading.statuses.items()) if twin else False
    signs = []
    if exit_code == 0:
        signs.append("the runner reported success though one test must fail")
    if planted and not sentinel_failed and not by_chance:
        signs.append("a test that must fail did not")
    if not planted and resolution.resolved:
        signs.append("a test that must fail was not run though all others were")
    if task.log_parser in PYTEST_PARSERS and any(_is_whole(test) for test in _expected(task) & reading.conflicts):
        signs.append("a test is said to have failed and not to have failed")
    whole = sentinel_failed and exit_code is not None and 0 < exit_code < _BY_A_SIGNAL
    lost = frozenset(given_up) & _expected(task)
    return Examination(resolution=resolution, tampering=tuple(signs), whole=whole, given_up=lost)


def _expected(task: RepairTask) -> set[str]:
    return {*task.fail_to_pass, *task.pass_to_pass}


def _is_whole(test: str) -> bool:
    """Whether a name was not cut within its parameters; one that was may stand for several tests."""
    return test.count("[") <= test.count("]")


def _key(test: str, statuses: Mapping[str, str]) -> str | None:
    if test in statuses:
        return test
    if _is_whole(test):
        return None
    found = [name for name in statuses if name.startswith(test)]
    agree = len({statuses[name] in _PASSING for name in found}) == 1
    return found[0] if agree else None
