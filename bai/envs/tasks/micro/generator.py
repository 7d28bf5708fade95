"""Draws programs and refuses the dull ones.

A program is refused when it reads like one of another kind, when its outputs hardly vary
or grow large, when a step has (next to) no effect, or when it does what a shorter one
does: one with a step left out, one with two steps replaced by a single one, or any
program of one step.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import accumulate
from typing import Any, TypeVar

from bai.envs.tasks.micro.catalogue import CATALOGUE
from bai.envs.tasks.micro.kinds import BOOL, INPUTS, INT
from bai.envs.tasks.micro.operation import Step
from bai.envs.tasks.micro.probes import BATTERY
from bai.envs.tasks.micro.program import Program, fingerprint, run, texts

__all__ = ["draw", "is_dull", "pick", "reads_dull"]

T = TypeVar("T")

_WIDEST = {INT: 6}
"""Most characters of an output by kind; 60 for every other."""
_FEWEST = {BOOL: 2, INT: 3}
"""Fewest different outputs on a battery by kind; 5 for every other. No output may make up more than three quarters."""
_KINDS = tuple(INPUTS)
_KIND_WEIGHTS = tuple(accumulate(INPUTS.values()))


def pick(rng: random.Random, items: Sequence[T]) -> T:
    """Draws one item; uses ``rng.random`` alone, whose sequence Python guarantees from version to version."""
    return items[int(rng.random() * len(items))]


def draw(rng: random.Random, length: int) -> Program | None:
    """Draws a program of ``length`` steps, or None where the draw ran into a dead end or a repetition."""
    kind = _draw_kind(rng)
    steps: list[Step] = []
    used: set[str] = set()
    for position in range(length):
        operation = pick(rng, CATALOGUE[kind])
        ends_early = operation.gives == BOOL and position < length - 1
        if ends_early or operation.name in used or (operation.opening and position):
            return None
        used.add(operation.name)
        steps.append(pick(rng, operation.steps))
        kind = operation.gives
    return Program(tuple(steps))


def _draw_kind(rng: random.Random) -> str:
    mark = rng.random() * _KIND_WEIGHTS[-1]
    return next(kind for kind, weight in zip(_KINDS, _KIND_WEIGHTS, strict=True) if mark < weight)


def reads_dull(program: Program) -> bool:
    """Whether to refuse a program for its steps alone; remembers what it learned about pairs of steps."""
    pairs = zip(program.steps, program.steps[1:], strict=False)
    return any(_reducible(a, b) for a, b in pairs) or _reads_like_earlier_kind(program)


def is_dull(program: Program, outputs: Sequence[Any], written: Sequence[str], mark: bytes) -> bool:
    """Whether to refuse a program for what it does: its outputs on the battery, those as text, its fingerprint."""
    return (
        not _varied(written, program.gives)
        or (len(program.steps) > 1 and mark in _singles(program.takes))
        or not all(_differ(outputs, shorter, 3) for shorter in _shortened(program))
    )


def _varied(written: Sequence[str], kind: str) -> bool:
    if max(map(len, written)) > _WIDEST.get(kind, 60):
        return False
    counts = Counter(written)
    return max(counts.values()) <= 0.75 * len(written) and len(counts) >= _FEWEST.get(kind, 5)


def _reads_like_earlier_kind(program: Program) -> bool:
    return any(_fits(program, kind) for kind in _KINDS[: _KINDS.index(program.takes)])


def _fits(program: Program, kind: str) -> bool:
    """Whether the very same source is also a program that takes ``kind``."""
    for step in program.steps:
        twin = _by_shape(kind).get(step.shape)
        if twin is None:
            return False
        kind = twin.operation.gives
    return True


@cache
def _by_shape(kind: str) -> dict[str, Step]:
    return {step.shape: step for operation in CATALOGUE.get(kind, ()) for step in operation.steps}


@cache
def _reducible(first: Step, second: Step) -> bool:
    """Whether two steps in a row do what one step, or none, does."""
    kind = first.operation.takes
    outputs = run((first, second), BATTERY[kind])
    return fingerprint(kind, texts(second.operation.gives, outputs)) in _singles(kind)


@cache
def _singles(kind: str) -> frozenset[bytes]:
    """Fingerprints of every program of one step, and of the one that gives its argument back."""
    battery = BATTERY[kind]
    marks = {fingerprint(kind, texts(kind, battery))}
    for operation in CATALOGUE[kind]:
        marks.update(fingerprint(kind, texts(operation.gives, step.apply(battery))) for step in operation.steps)
    return frozenset(marks)


def _shortened(program: Program) -> Iterator[list[Any]]:
    """Outputs on the battery with one step left out, where the rest still fits together."""
    steps = program.steps
    if len(steps) == 1:
        yield BATTERY[program.takes]
        return
    values: list[Any] = BATTERY[program.takes]
    for position, step in enumerate(steps):
        if step.operation.takes == step.operation.gives:
            yield run(steps[position + 1 :], values)
        values = step.apply(values)


def _differ(outputs: Sequence[Any], others: Sequence[Any], least: int) -> bool:
    """Whether two rows of outputs differ in at least ``least`` places."""
    return len([1 for a, b in zip(outputs, others, strict=True) if a != b]) >= least
