"""Every exception bai raises, named by the boundary it crossed.

    BaiError
    ├── ConfigError (ValueError)            an argument or a configuration field is wrong
    ├── MissingDependency (ImportError)     an optional library or system program is absent
    ├── DataError
    │   ├── TaskSetNotFound (LookupError)   no such task set, or its files are not on this machine
    │   ├── TaskNotFound (LookupError)      the task set has no such task
    │   ├── MalformedRow (ValueError)       a row of a data file breaks the documented format
    │   └── PatchError (ValueError)         a patch or an edit cannot be read, or does not apply
    ├── InfraError (RuntimeError)           the machinery failed, not the agent: never a score
    │   ├── SandboxUnavailable              the backend cannot work on this machine
    │   ├── SandboxDied                     a started sandbox, or its runner, is gone
    │   └── MemberTimeout                   a member of a vector environment did not return in time
    ├── ToolFault (RuntimeError)            a tool could not do what a call asked; the agent is told
    ├── CannotFork (RuntimeError)           this state cannot be branched; the message says why
    ├── PolicyError
    │   ├── ContextOverflow (ValueError)    the context does not fit the policy's window
    │   ├── PrefixMismatch (RuntimeError)   a context was changed rather than appended to
    │   └── EndpointError (ConnectionError) a remote policy did not answer as agreed
    ├── TrainingError (RuntimeError)
    │   ├── WorkerFailure                   a runner or a learner died, hung or answered garbage
    │   ├── StaleWeights                    a worker sampled with weights older than allowed
    │   ├── ErrorBudgetExceeded             more faults than the configured budget
    │   └── EmptyBatch                      nothing trainable was sampled
    └── CheckpointError (RuntimeError)      a checkpoint is absent, truncated or of another kind

A failed rollout is data, not an exception: it is recorded on the trajectory
(:class:`bai.types.Verdict`). An exception leaves an environment only where the
machinery failed before the agent's code ran.

To add one: subclass the boundary it crosses, pass every constructor argument to
``super().__init__`` positionally (pickling rebuilds an exception from ``args``,
and Ray pickles), and add it to the tree above and to ``__all__``.
"""

from __future__ import annotations

__all__ = [
    "BaiError",
    "CannotFork",
    "CheckpointError",
    "ConfigError",
    "ContextOverflow",
    "DataError",
    "EmptyBatch",
    "EndpointError",
    "ErrorBudgetExceeded",
    "InfraError",
    "MalformedRow",
    "MemberTimeout",
    "MissingDependency",
    "PatchError",
    "PolicyError",
    "PrefixMismatch",
    "SandboxDied",
    "SandboxUnavailable",
    "StaleWeights",
    "TaskNotFound",
    "TaskSetNotFound",
    "ToolFault",
    "TrainingError",
    "WorkerFailure",
]


class BaiError(Exception):
    """Root of every exception that bai raises on purpose."""


class ConfigError(BaiError, ValueError):
    """An argument or a configuration field is wrong. Says what was expected and what came."""


class MissingDependency(BaiError, ImportError):
    """An optional library or system program is absent.

    Args:
        name: What is missing, as its packager calls it.
        remedy: The command that installs it.
        needed_for: What bai wanted it for.
    """

    def __init__(self, name: str, remedy: str, needed_for: str = "this feature") -> None:
        super().__init__(name, remedy, needed_for)
        self.remedy = remedy
        self.needed_for = needed_for

    def __str__(self) -> str:
        return f"{self.needed_for} needs {self.args[0]}, which is not installed; run: {self.remedy}"


class DataError(BaiError):
    """Data from outside the program is absent or malformed."""


class TaskSetNotFound(DataError, LookupError):
    """No such task set, or its files are not on this machine."""


class TaskNotFound(DataError, LookupError):
    """The task set holds no task of this id."""


class MalformedRow(DataError, ValueError):
    """A row of a data file breaks the documented format.

    Args:
        path: The file.
        line: Its line, counted from 1.
        field: The field at fault, or an empty string for the row as a whole.
        problem: What was expected and what came.
    """

    def __init__(self, path: str, line: int, field: str, problem: str) -> None:
        super().__init__(path, line, field, problem)
        self.path = path
        self.line = line
        self.field = field
        self.problem = problem

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}"
        return f"{where}: field {self.field!r}: {self.problem}" if self.field else f"{where}: {self.problem}"


class PatchError(DataError, ValueError):
    """A patch or an edit cannot be read, is of a kind that is refused, or does not apply.

    Args:
        reason: One sentence, which names the file and the hunk or the line where there is one.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class InfraError(BaiError, RuntimeError):
    """The machinery failed, not the agent. Never turned into a score."""


class SandboxUnavailable(InfraError):
    """The sandbox backend cannot work on this machine; the message says what is missing."""


class SandboxDied(InfraError):
    """A started sandbox, or its resident runner, is gone."""


class MemberTimeout(InfraError):
    """A member of a vector environment did not return in time, and was given up."""


class ToolFault(BaiError, RuntimeError):
    """A tool could not do what a call asked, by the fault of the call. Its text is the agent's observation.

    Args:
        reason: What was expected and what came; never an expected value.
        kind: One of :data:`bai.envs.tools.base.FAULTS`.
    """

    def __init__(self, reason: str, kind: str = "failed") -> None:
        super().__init__(reason, kind)
        self.reason = reason
        self.kind = kind

    def __str__(self) -> str:
        return self.reason


class CannotFork(BaiError, RuntimeError):
    """This state cannot be branched; the message says why. Replay the actions instead."""


class PolicyError(BaiError):
    """A policy could not do what it was asked."""


class ContextOverflow(PolicyError, ValueError):
    """The context, with the room its completion needs, does not fit the policy's window."""


class PrefixMismatch(PolicyError, RuntimeError):
    """A context was changed rather than appended to: its tokens no longer start with the old ones."""


class EndpointError(PolicyError, ConnectionError):
    """A remote policy did not answer, or not as the protocol says."""


class TrainingError(BaiError, RuntimeError):
    """Training cannot go on."""


class WorkerFailure(TrainingError):
    """A runner or a learner died, hung past its deadline or answered something unreadable."""


class StaleWeights(TrainingError):
    """A worker sampled with weights older than the configuration allows."""


class ErrorBudgetExceeded(TrainingError):
    """More rollouts were lost to faults of the machinery than the configuration allows."""


class EmptyBatch(TrainingError):
    """Nothing trainable was sampled; the message says what became of the samples."""


class CheckpointError(BaiError, RuntimeError):
    """A checkpoint is absent, truncated or of another kind than expected."""
