"""Sandboxes: where code that nobody trusts runs. The contract is :mod:`bai.envs.sandbox.base`."""

from __future__ import annotations

import inspect
import logging
from typing import Any

from bai.envs.sandbox.base import (
    CallResult,
    Capabilities,
    ExecResult,
    Limits,
    LoadedModule,
    Sandbox,
    Snapshot,
)
from bai.envs.sandbox.bubblewrap import BubblewrapSandbox
from bai.envs.sandbox.codec import CodecError, decode, encode
from bai.envs.sandbox.docker import DockerSandbox
from bai.envs.sandbox.process import ProcessSandbox
from bai.errors import ConfigError, SandboxUnavailable

__all__ = [
    "SANDBOXES",
    "BubblewrapSandbox",
    "CallResult",
    "Capabilities",
    "CodecError",
    "DockerSandbox",
    "ExecResult",
    "Limits",
    "LoadedModule",
    "ProcessSandbox",
    "Sandbox",
    "Snapshot",
    "decode",
    "encode",
    "expect_sandbox",
    "make_sandbox",
    "options_of",
    "resolve_sandbox",
]

log = logging.getLogger(__name__)

SANDBOXES: dict[str, type[Sandbox]] = {
    DockerSandbox.name: DockerSandbox,
    BubblewrapSandbox.name: BubblewrapSandbox,
    ProcessSandbox.name: ProcessSandbox,
}
"""Backends by name, the strongest first: ``auto`` takes the first that works."""


def make_sandbox(name: str = "auto", limits: Limits | None = None, **options: Any) -> Sandbox:
    """Gives a sandbox, not started.

    Args:
        name: ``auto`` (the strongest that works here) or a key of :data:`SANDBOXES`.
        limits: Bounds on each execution; None for the defaults.
        options: The backend's own, by the names of its constructor's arguments.

    Raises:
        ConfigError: There is no backend of this name, or it takes no option of one of the names.
        SandboxUnavailable: It cannot work on this machine, or, for ``auto``, none can.
    """
    backend = SANDBOXES[resolve_sandbox(name, **options)]
    if unknown := [option for option in options if option not in options_of(backend)]:
        known = ", ".join(options_of(backend)) or "none"
        others = [other for other in SANDBOXES if set(unknown) <= set(options_of(SANDBOXES[other]))]
        hint = f"; {' and '.join(others)} would" if others else ""
        raise ConfigError(
            f"the {backend.name} sandbox takes no option {', '.join(map(repr, unknown))}{hint}; its options: {known}"
        )
    return backend(limits=limits, **options)


def options_of(backend: type[Sandbox]) -> tuple[str, ...]:
    """Names of a backend's own options."""
    parameters = inspect.signature(backend).parameters.values()
    return tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.name != "limits")


def resolve_sandbox(name: str = "auto", **options: Any) -> str:
    """Gives the name of the backend that ``name`` stands for here. Raises as :func:`make_sandbox`.

    Whether a backend works with options of its own (another engine, another image) shows when it starts: with
    any, one that is named is not tried.
    """
    expect_sandbox(name)
    if name != "auto" and options:
        return name
    reasons = {}
    for candidate in SANDBOXES if name == "auto" else (name,):
        reasons[candidate] = SANDBOXES[candidate].unavailable_reason()
        if reasons[candidate] is None:
            if name == "auto":
                log.info("sandbox: %s", candidate)
            return candidate
    told = "; ".join(f"{candidate}: {reason}" for candidate, reason in reasons.items())
    raise SandboxUnavailable(
        f"no sandbox works here: {told}" if name == "auto" else f"sandbox {told}; {_what_works(name)}"
    )


def expect_sandbox(name: str) -> None:
    """Passes ``auto`` and the names of backends, whether or not they work here.

    Raises:
        ConfigError: There is no backend of this name; the message says which work here.
    """
    if not isinstance(name, str) or (name != "auto" and name not in SANDBOXES):
        raise ConfigError(f"unknown sandbox {name!r}; expected auto, {', '.join(SANDBOXES)}; {_what_works()}")


def _what_works(but: str = "") -> str:
    """Names the backends that work here, and says of each other what it lacks and how that is installed."""
    reasons = {name: backend.unavailable_reason() for name, backend in SANDBOXES.items() if name != but}
    works = ", ".join(name for name, reason in reasons.items() if reason is None) or "none"
    lacking = [f"{name} does not: {reason}" for name, reason in reasons.items() if reason is not None]
    return "; ".join([f"here works: {works}", *lacking])
