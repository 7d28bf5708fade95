"""The noun of the repair family: a repository with a fault, described in words, and the tests that tell.

The fields are SWE-bench's (Jimenez et al. 2024, arXiv:2310.06770), under names of ours; ``docs/repair_tasks.md``
has both generations of its row format beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from bai.types import Task

__all__ = ["EvalType", "RepairTask", "TestRun"]

EvalType = Literal["pass_and_fail", "fail_only"]
"""Whether an expected test that the log does not mention counts as failed, or only a failure that it mentions does."""


@dataclass(frozen=True, kw_only=True)
class TestRun:
    """How a task's tests are run."""

    __test__ = False  # no test, though its name begins like one

    command: str
    """Shell command, run in the repository's directory, without the tests' names."""
    targets: tuple[str, ...]
    """What is appended to it: files, directories or labels, as the runner wants them."""
    before: tuple[str, ...] = ()
    """Shell commands run first, such as a build or the setting of a locale."""


@dataclass(frozen=True, kw_only=True)
class RepairTask(Task):
    """A repository to repair. ``prompt`` is what the agent is told; everything below stays on the host."""

    repo: str
    """``owner/name`` of a public repository, ``library/NAME`` of the shipped set, ``package/NAME`` of a made one."""
    base_commit: str
    """The commit, or for made tasks the digest of the tree, that the agent starts from."""
    version: str
    """Picks the environment of a public repository, such as ``2.3``."""
    problem_statement: str
    """What is wrong, in words."""
    patch: str = field(repr=False)
    """The gold answer, a unified diff."""
    test_patch: str = field(repr=False)
    """What the tests change, a unified diff; may be empty."""
    fail_to_pass: tuple[str, ...] = field(repr=False)
    """Tests that fail before and must pass after."""
    pass_to_pass: tuple[str, ...] = field(repr=False)
    """Tests that pass before and must still pass."""
    log_parser: str
    """Name of the reader of the tests' output in ``swebench``'s registry, such as ``parse_log_pytest``."""
    eval_type: EvalType = "pass_and_fail"
    """See :data:`EvalType`."""
    run: TestRun
    """How the tests are run."""
    image: str | None = None
    """Container image that holds the repository and what it needs, or None."""
    origin: Mapping[str, str] = field(default_factory=dict)
    """Where a made task's tree comes from: ``library`` or ``tree`` (a file beside the rows), ``bug`` (the diff that
    put the fault in), and ``requires`` (what its tests need besides pytest); empty for a public repository."""
