"""Programs one change away from a program: what a near-miss looks like."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from bai.envs.tasks.micro.catalogue import CATALOGUE
from bai.envs.tasks.micro.operation import Step
from bai.envs.tasks.micro.program import Program, run

__all__ = ["differences", "mistakes", "neighbours"]

Change = tuple[int, tuple[Step, ...]]
"""The first position that changed, and all steps from there on."""


def neighbours(program: Program) -> Iterator[Program]:
    """Programs with one step dropped, its constant or its operation mistaken, or two steps swapped."""
    for position, rest in _changes(program):
        yield Program(program.steps[:position] + rest)


def differences(program: Program, values: list[Any], outputs: list[Any]) -> list[int]:
    """For each neighbour the inputs on which it differs, as bits (bit i for ``values[i]``); zeros are left out."""
    masks = []
    bits = [1 << i for i in range(len(values))]
    reached, position = values, 0
    for start, rest in _changes(program):
        while position < start:
            reached, position = program.steps[position].apply(reached), position + 1
        triples = zip(bits, run(rest, reached), outputs, strict=True)
        mask = sum([bit for bit, mine, theirs in triples if mine != theirs])
        if mask:
            masks.append(mask)
    return masks


def _changes(program: Program) -> Iterator[Change]:
    """All changes, by position. One that would leave nothing, or not fit, is none."""
    steps = program.steps
    for position, step in enumerate(steps):
        rest = steps[position + 1 :]
        if step.operation.takes == step.operation.gives and len(steps) > 1:
            yield position, rest
        for neighbour in mistakes(step):
            yield position, (neighbour, *rest)
        if rest and _swappable(step, rest[0]):
            yield position, (rest[0], step, *rest[1:])


@cache
def mistakes(step: Step) -> tuple[Step, ...]:
    """The same operation with the constants beside this one's, and its family with this constant."""
    operation, at = step.operation, step.operation.constants.index(step.constant)
    beside = operation.steps[max(at - 1, 0) : at] + operation.steps[at + 1 : at + 2]
    family = (
        other.step(step.constant)
        for other in CATALOGUE[operation.takes]
        if other is not operation and (other.gives, other.family) == (operation.gives, operation.family)
    )
    return (*beside, *family)


def _swappable(first: Step, second: Step) -> bool:
    kinds = {first.operation.takes, first.operation.gives, second.operation.takes, second.operation.gives}
    return len(kinds) == 1
