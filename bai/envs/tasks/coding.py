"""The noun of the coding family: a function to write, and the tests that judge it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from bai.types import Task

__all__ = ["Case", "CaseTests", "CodingTask", "ScriptTests"]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One call with the value it must return."""

    args: tuple[Any, ...]
    """Positional arguments: plain data of the codec's types."""
    expected: Any
    """The value the entry point must return."""


@dataclass(frozen=True, kw_only=True)
class CaseTests:
    """Tests as data: call the entry point with each case's arguments and compare outside."""

    cases: tuple[Case, ...]
    """At least one."""
    atol: float = 0.0
    """Absolute tolerance for floats, anywhere inside the value; 0.0 means exact."""


@dataclass(frozen=True, kw_only=True)
class ScriptTests:
    """Tests as a trusted script: it runs in the judge, and what it calls is called across."""

    script: str
    """Python source; asserts decide. The names in ``proxies`` are bound to callables that reach the candidate."""
    proxies: tuple[str, ...]
    """Names of the candidate that the script may use; the entry point among them."""
    setup: str = ""
    """Public source that both sides load first, such as a class that the prompt shows."""


@dataclass(frozen=True, kw_only=True)
class CodingTask(Task):
    """A function to write from a prompt. Only ``prompt``, ``metadata``, ``entry_point`` and ``public`` are shown."""

    entry_point: str
    """Name of the function to write."""
    public: tuple[Case, ...] = ()
    """Examples the agent may see and gets feedback on between attempts."""
    hidden: CaseTests | ScriptTests
    """What decides. Never leaves the judge."""
    reference: str
    """Source of a solution that passes."""
    prelude: str = ""
    """Public source placed before the candidate's, such as imports that the prompt shows."""
    answer_style: Literal["function", "completion"] = "function"
    """``function``: the answer is whole source; ``completion``: it may also be the body that continues the prompt."""
