"""Sandboxes: where code that nobody trusts runs. The contract is :mod:`bai.envs.sandbox.base`."""

from __future__ import annotations

import logging

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
from bai.envs.sandbox.process import ProcessSandbox
from bai.errors import ConfigError, SandboxUnavailable

__all__ = [
    "SANDBOXES",
    "BubblewrapSandbox",
    "CallResult",
    "Capabilities",
    "CodecError",
    "ExecResult",
    "Limits",
    "LoadedModule",
    "ProcessSandbox",
    "Sandbox",
    "Snapshot",
    "decode",
    "encode",
    "make_sandbox",
    "resolve_sandbox",
]

log = logging.getLogger(__name__)

SANDBOXES: dict[str, type[Sandbox]] = {
    BubblewrapSandbox.name: BubblewrapSandbox,
    ProcessSandbox.name: ProcessSandbox,
}
"""Backends by name, the strongest first: ``auto`` takes the first that works."""


def make_sandbox(name: str = "auto", limits: Limits | None = None) -> Sandbox:
    """Gives a sandbox, not started.

    Args:
        name: ``auto`` (the strongest that works here) or a key of :data:`SANDBOXES`.
        limits: Bounds on each execution; None for the defaults.

    Raises:
        ConfigError: There is no backend of this name.
        SandboxUnavailable: It cannot work on this machine, or, for ``auto``, none can.
    """
    return SANDBOXES[resolve_sandbox(name)](limits=limits)


def resolve_sandbox(name: str = "auto") -> str:
    """Gives the name of the backend that ``name`` stands for here. Raises as :func:`make_sandbox`."""
    if name != "auto" and name not in SANDBOXES:
        raise ConfigError(f"unknown sandbox {name!r}; expected auto, {', '.join(SANDBOXES)}{_what_works()}")
    reasons = {}
    for candidate in SANDBOXES if name == "auto" else (name,):
        reasons[candidate] = SANDBOXES[candidate].unavailable_reason()
        if reasons[candidate] is None:
            if name == "auto":
                log.info("sandbox: %s", candidate)
            return candidate
    told = "; ".join(f"{candidate}: {reason}" for candidate, reason in reasons.items())
    raise SandboxUnavailable(f"no sandbox works here: {told}" if name == "auto" else f"sandbox {told}{_what_works()}")


def _what_works() -> str:
    works = [name for name, backend in SANDBOXES.items() if backend.unavailable_reason() is None]
    return f"; here works: {', '.join(works) or 'none'}"
