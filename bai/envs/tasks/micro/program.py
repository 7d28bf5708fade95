"""A program: steps that fit together. What it computes, how it reads, what identifies it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bai.envs.tasks.micro.kinds import VARIABLES
from bai.envs.tasks.micro.operation import Step
from bai.envs.tasks.micro.probes import BATTERY

__all__ = ["Program", "fingerprint", "plain"]

ENTRY_POINT = "f"


@dataclass(frozen=True)
class Program:
    """Steps, each taking what the one before gave. Equal programs have the same steps."""

    steps: tuple[Step, ...]
    """At least one."""

    @property
    def takes(self) -> str:
        """Kind of the argument."""
        return self.steps[0].operation.takes

    @property
    def gives(self) -> str:
        """Kind of the result."""
        return self.steps[-1].operation.gives

    def outputs(self, values: Sequence[Any]) -> list[Any]:
        """The results for many arguments, none of which is changed."""
        return run(self.steps, values)

    @property
    def signature(self) -> str:
        """Such as ``f(xs: list[int]) -> int``."""
        return f"{ENTRY_POINT}({VARIABLES[self.takes]}: {self.takes}) -> {self.gives}"

    @property
    def source(self) -> str:
        """The reference: one statement a step."""
        lines = [f"def {ENTRY_POINT}({VARIABLES[self.takes]}):"]
        for step in self.steps[:-1]:
            operation = step.operation
            lines.append(f"    {VARIABLES[operation.gives]} = {step.expression(VARIABLES[operation.takes])}")
        last = self.steps[-1]
        lines.append(f"    return {last.expression(VARIABLES[last.operation.takes])}")
        return "\n".join(lines) + "\n"


def run(steps: Sequence[Step], values: Sequence[Any]) -> list[Any]:
    """Passes values through steps."""
    for step in steps:
        values = step.apply(values)
    return list(values)


def plain(value: Any) -> Any:
    """A form in which equal values look alike: the order of a dictionary and True against 1 don't count."""
    if isinstance(value, dict):
        return sorted(value.items())
    return int(value) if isinstance(value, bool) else value


def fingerprint(takes: str, outputs: Sequence[Any]) -> bytes:
    """What a program does, in 16 bytes: a hash of its input kind and its outputs on the battery of that kind."""
    text = f"{takes}|{[plain(value) for value in outputs]!r}"
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def program_fingerprint(program: Program) -> bytes:
    """The fingerprint of a program."""
    return fingerprint(program.takes, program.outputs(BATTERY[program.takes]))
