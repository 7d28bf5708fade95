"""The nouns of the coding family: a function to write, and the tests that judge it.

Three kinds of tests, by where the expected values come from:

* :class:`CaseTests`: they are written down with the arguments;
* :class:`ReferenceTests`: the reference computes them, in a sandbox of its own;
* :class:`ScriptTests`: a trusted script asserts what it likes.

``adapter`` is public source that is loaded after the candidate's, in the candidate's process: it builds
what cannot travel between processes (a graph of nodes) from plain arguments, or turns what cannot travel
back (a generator) into plain data. It never holds an expected value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from bai.types import Task

__all__ = ["Case", "CaseTests", "CodingTask", "ReferenceTests", "Rule", "ScriptTests", "Tests"]

Rule = Literal["value", "elements", "polynomial_root"]
"""How a returned value is held against the expected one:

``value``: equal, within the tolerances; ``elements``: the same distinct elements in any order;
``polynomial_root``: a root, within ``atol``, of the polynomial whose coefficients are the first argument."""


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
    rtol: float = 0.0
    """Tolerance relative to the expected float, added to ``atol``."""
    rule: Rule = "value"
    """How values are compared."""
    adapter: str = ""
    """Public source loaded after the candidate's."""
    call: str = ""
    """What to call: a function of the adapter; empty for the entry point."""
    batch: int = 512
    """Most calls in one round trip; fewer where values are large, because a sandbox bounds the bytes of one."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ReferenceTests:
    """Tests as arguments alone: the reference says what each call must return.

    Compared and hashed by identity, so that what the reference said can be kept with it.
    """

    inputs: tuple[tuple[Any, ...], ...]
    """Positional arguments of each call; at least one call."""
    atol: float = 0.0
    """As for :class:`CaseTests`."""
    rtol: float = 0.0
    """As for :class:`CaseTests`."""
    rule: Rule = "value"
    """How values are compared."""
    adapter: str = ""
    """Public source loaded after the candidate's."""
    call: str = ""
    """What to call: a function of the adapter; empty for the entry point."""
    wall_s: float = 300.0
    """Seconds the reference may take over all calls; it is trusted to end, this bounds mistakes."""


@dataclass(frozen=True, kw_only=True)
class ScriptTests:
    """Tests as a trusted script: it runs in the judge, and what it calls is called across."""

    script: str
    """Python source; asserts decide. The names in ``proxies`` are bound to callables that reach the candidate."""
    proxies: tuple[str, ...]
    """Names of the candidate that the script may use; the entry point among them."""
    setup: str = ""
    """Source that the script starts from, such as a helper that the prompt shows; the judge's own copy."""
    adapter: str = ""
    """Public source loaded after the candidate's; its functions may be proxies too."""


Tests = CaseTests | ReferenceTests | ScriptTests


@dataclass(frozen=True, kw_only=True)
class CodingTask(Task):
    """A function to write from a prompt. Only ``prompt``, ``metadata``, ``entry_point`` and ``public`` are shown."""

    entry_point: str
    """Name of the function to write."""
    public: tuple[Case, ...] = ()
    """Examples the agent may see and gets feedback on between attempts."""
    hidden: Tests
    """What decides. Never leaves the judge."""
    reference: str
    """Source of a solution that passes."""
    prelude: str = ""
    """Public source placed before the candidate's, such as imports that the prompt shows."""
    answer_style: Literal["function", "completion"] = "function"
    """``function``: the answer is whole source; ``completion``: it may also be the body that continues the prompt."""
