"""Expected values that a trusted reference computes, once per task."""

from __future__ import annotations

import threading
from weakref import WeakKeyDictionary

from bai.envs.grading.answers import assemble, with_adapter
from bai.envs.sandbox.pool import SandboxPool
from bai.envs.tasks.coding import Case, CaseTests, CodingTask, ReferenceTests
from bai.errors import InfraError

__all__ = ["cases_of"]

_known: WeakKeyDictionary[ReferenceTests, CaseTests] = WeakKeyDictionary()
_lock = threading.Lock()


def cases_of(task: CodingTask, tests: ReferenceTests, pool: SandboxPool) -> CaseTests:
    """Runs the reference on every input, in a sandbox that no candidate has been in since it was emptied.

    The result is kept for as long as the task is.

    Raises:
        InfraError: The reference does not answer one of the inputs: the task, or the machinery, is broken.
    """
    with _lock:
        known = _known.get(tests)
    if known is None:
        known = _run(task, tests, pool)
        with _lock:
            _known[tests] = known
    return known


def _run(task: CodingTask, tests: ReferenceTests, pool: SandboxPool) -> CaseTests:
    source = with_adapter(assemble(task, task.reference), tests.adapter)
    with pool.lease() as sandbox, sandbox.load(source) as module:
        results = module.call_many(tests.call or task.entry_point, tests.inputs, wall_s=tests.wall_s)
    for index, result in enumerate(results):
        if result.status != "returned":
            raise InfraError(
                f"the reference of {task.task_id} gives no value for input {index + 1} of {len(results)}: "
                f"{result.status} {result.exception}"
            )
    cases = (Case(args=args, expected=r.value) for args, r in zip(tests.inputs, results, strict=True))
    return CaseTests(
        cases=tuple(cases),
        atol=tests.atol,
        rtol=tests.rtol,
        rule=tests.rule,
        adapter=tests.adapter,
        call=tests.call,
    )
