"""Expected values that a trusted reference computes, once per task."""

from __future__ import annotations

import pickle
import threading
import time
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from bai.envs.grading.answers import assemble, with_adapter
from bai.envs.sandbox.base import MIB
from bai.envs.sandbox.pool import SandboxPool
from bai.envs.tasks.coding import Case, CaseTests, CodingTask, ReferenceTests
from bai.errors import InfraError

__all__ = ["Expected", "expected_of"]

_MOST_KEPT_BYTES = 16 * MIB
"""Expected values larger than this, pickled, are computed anew each time rather than kept."""


@dataclass(frozen=True)
class Expected:
    """What a reference said."""

    tests: CaseTests
    """Its values as cases."""
    seconds: float
    """Real time it took over all inputs, the way of the values included."""


_known: WeakKeyDictionary[ReferenceTests, Expected] = WeakKeyDictionary()
_lock = threading.Lock()


def expected_of(task: CodingTask, tests: ReferenceTests, pool: SandboxPool) -> Expected:
    """Runs the reference on every input, in a sandbox that no candidate has been in since it was emptied.

    The result is kept for as long as the task is, unless it is very large.

    Raises:
        InfraError: The reference does not answer one of the inputs: the task, or the machinery, is broken.
    """
    with _lock:
        known = _known.get(tests)
    if known is None:
        known = _run(task, tests, pool)
        if len(pickle.dumps(known.tests.cases)) <= _MOST_KEPT_BYTES:
            with _lock:
                _known[tests] = known
    return known


def _run(task: CodingTask, tests: ReferenceTests, pool: SandboxPool) -> Expected:
    source = with_adapter(assemble(task, task.reference), tests.adapter)
    started = time.monotonic()
    with pool.lease() as sandbox, sandbox.load(source) as module:
        results = module.call_many(tests.call or task.entry_point, tests.inputs, wall_s=tests.wall_s)
    seconds = time.monotonic() - started
    for index, result in enumerate(results):
        if result.status != "returned":
            raise InfraError(
                f"the reference of {task.task_id} gives no value for input {index + 1} of {len(results)}: "
                f"{result.status} {result.exception}"
            )
    cases = (Case(args=args, expected=r.value) for args, r in zip(tests.inputs, results, strict=True))
    return Expected(_as_cases(tests, tuple(cases)), seconds)


def _as_cases(tests: ReferenceTests, cases: tuple[Case, ...]) -> CaseTests:
    return CaseTests(
        cases=cases,
        atol=tests.atol,
        rtol=tests.rtol,
        rule=tests.rule,
        adapter=tests.adapter,
        call=tests.call,
    )
