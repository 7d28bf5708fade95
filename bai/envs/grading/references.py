"""Expected values that a trusted reference computes, once per task."""

from __future__ import annotations

import io
import pickle
import threading
import time
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from bai.envs.grading.answers import assemble, with_adapter
from bai.envs.grading.base import Budget
from bai.envs.sandbox.base import MIB, CallResult, Sandbox
from bai.envs.sandbox.pool import SandboxPool
from bai.envs.tasks.coding import Case, CaseTests, CodingTask, ReferenceTests
from bai.errors import InfraError

__all__ = ["Expected", "expected_of"]

_MOST_KEPT_BYTES = 16 * MIB
"""Expected values larger than this, pickled, are computed anew each time rather than kept."""
_CALLS = 512
"""Calls in one round trip, where values are small."""
_TRIP_BYTES = 4 * MIB
"""Bytes of values, pickled, in one round trip: an encoded value takes up to thrice that, a sandbox lets 32 MiB by."""


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
        known, size = _run(task, tests, pool)
        if size <= _MOST_KEPT_BYTES:
            with _lock:
                _known[tests] = known
    return known


def _run(task: CodingTask, tests: ReferenceTests, pool: SandboxPool) -> tuple[Expected, int]:
    source = with_adapter(assemble(task, task.reference), tests.adapter)
    with pool.lease() as sandbox:
        started = time.monotonic()
        results = _results(sandbox, source, tests.call or task.entry_point, tests)
        seconds = time.monotonic() - started
    for index, result in enumerate(results):
        if result.status != "returned":
            raise InfraError(
                f"the reference of {task.task_id} gives no value for input {index + 1} of {len(tests.inputs)}: "
                f"{result.status} {result.exception}"
            )
    sizes = [_size(result.value) for result in results]
    cases = tuple(Case(args=args, expected=r.value) for args, r in zip(tests.inputs, results, strict=True))
    batch = max(1, min(_CALLS, _TRIP_BYTES // max(sizes)))
    return Expected(_as_cases(tests, cases, batch), seconds), sum(sizes)


def _results(sandbox: Sandbox, source: str, name: str, tests: ReferenceTests) -> list[CallResult]:
    """Calls the reference in round trips; one that ended in a crash (too many bytes) is made again call by call."""
    budget, results, size = Budget(tests.wall_s), list[CallResult](), _CALLS
    while len(results) < len(tests.inputs):
        chunk = tests.inputs[len(results) : len(results) + size]
        with sandbox.load(source) as module:
            came = module.call_many(name, chunk, wall_s=budget.left_s)
        if size > 1 and any(result.status == "crashed" for result in came):
            size = 1
            continue
        results += came
        if any(result.status != "returned" for result in came):
            break
    return results


def _size(value: Any) -> int:
    """Bytes of a value, pickled the way the codec writes: what comes twice is counted twice."""
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer, protocol=5)
    pickler.fast = True
    pickler.dump(value)
    return buffer.tell()


def _as_cases(tests: ReferenceTests, cases: tuple[Case, ...], batch: int) -> CaseTests:
    return CaseTests(
        cases=cases,
        atol=tests.atol,
        rtol=tests.rtol,
        rule=tests.rule,
        adapter=tests.adapter,
        call=tests.call,
        batch=batch,
    )
