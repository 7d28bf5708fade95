"""An operation, and a step: an operation whose constant is fixed.

A code fragment is a Python expression in which ``_`` stands for the incoming value and
``K`` for the constant; a phrase is plain words with the same ``K``. The fragment is both
what references are written with and what computes expected values, so the two agree by
construction.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from bai.envs.tasks.micro.normal import normal_form

__all__ = ["Constant", "Operation", "Step"]

Constant = int | str | None

_VALUE = re.compile(r"\b_\b")
_CONSTANT = re.compile(r"\bK\b")


@dataclass(frozen=True, kw_only=True, eq=False)
class Operation:
    """One typed operation, total on its input kind: no value of that kind makes it raise."""

    name: str
    """Such as ``keep_even``; unique for a pair of kinds."""
    takes: str
    """Kind of the incoming value."""
    gives: str
    """Kind of the result."""
    code: str
    """The expression."""
    phrases: tuple[str, ...]
    """The operation in words, in the imperative; at least one."""
    family: str
    """Operations of one family and equal kinds are easily mistaken for each other."""
    constants: tuple[Constant, ...] = (None,)
    """Values of ``K``, neighbours next to each other; ``(None,)`` where there is no constant."""
    opening: bool = False
    """Whether it may only come first: its cost grows with the size of a number."""

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """One step for each constant."""
        return tuple(Step(operation=self, constant=constant) for constant in self.constants)

    def step(self, constant: Constant) -> Step:
        """The step with this constant, or with the first one where it is none of ours."""
        return self.steps[self.constants.index(constant)] if constant in self.constants else self.steps[0]


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """An operation with its constant. There is one object for each, so identity is equality."""

    operation: Operation
    constant: Constant
    code: str = field(init=False)
    """The expression, with the constant in place and ``_`` for the incoming value."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "code", _CONSTANT.sub(repr(self.constant), self.operation.code))

    @cached_property
    def apply(self) -> Callable[[Sequence[Any]], list[Any]]:
        """Computes the step for many values at once; changes none of them."""
        run: Callable[[Sequence[Any]], list[Any]] = eval(  # noqa: S307  our own fragment, from the catalogue
            f"lambda values: [{self.code} for _ in values]"
        )
        return run

    @cached_property
    def shape(self) -> str:
        """The code without its variables' names: steps of one shape read alike."""
        return normal_form(self.code)

    @property
    def uses(self) -> int:
        """How often the code names the incoming value."""
        return len(_VALUE.findall(self.code))

    def expression(self, value: str) -> str:
        """The expression with a variable, or any other source, for the incoming value."""
        return _VALUE.sub(lambda _: value, self.code)

    def phrase(self, index: int) -> str:
        """The step in words."""
        phrases = self.operation.phrases
        return _CONSTANT.sub(repr(self.constant), phrases[index % len(phrases)])
