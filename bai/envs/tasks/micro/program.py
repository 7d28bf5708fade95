"""A program: steps that fit together. What it computes, how it reads, what identifies it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bai.envs.tasks.micro.kinds import BOOL, VARIABLES
from bai.envs.tasks.micro.operation import Step

__all__ = ["ENTRY_POINT", "Program", "fingerprint", "run", "texts"]

ENTRY_POINT = "f"
"""Name of every function."""


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


def texts(kind: str, values: Sequence[Any]) -> list[str]:
    """Values of one kind as text, equal ones alike: neither the order of a dictionary nor the type of True counts."""
    if kind == BOOL:
        return [repr(int(value)) for value in values]
    if kind.startswith("dict"):
        return [repr(sorted(value.items())) for value in values]
    return [repr(value) for value in values]


def fingerprint(takes: str, outputs: Sequence[str]) -> bytes:
    """What a program does, in 16 bytes: a hash of its input kind and its outputs on the battery, as text."""
    return hashlib.blake2b(f"{takes}|[{', '.join(outputs)}]".encode(), digest_size=16).digest()
