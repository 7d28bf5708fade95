"""Chooses the inputs of the hidden tests and of the public examples."""

from __future__ import annotations

import random
from typing import Any

from bai.envs.tasks.coding import Case
from bai.envs.tasks.micro.neighbours import differences
from bai.envs.tasks.micro.probes import BATTERY, SHOWN
from bai.envs.tasks.micro.program import Program

__all__ = ["hidden_cases", "public_cases"]

FEWEST = 8
"""Hidden tests a task has at least; more where its near-misses need more to be told apart."""


def hidden_cases(program: Program, outputs: list[Any], rng: random.Random) -> tuple[Case, ...]:
    """Cases from the battery, the empty input first, such that every near-miss fails one.

    A near-miss is a program one change away (:func:`~bai.envs.tasks.micro.neighbours.neighbours`) that
    differs anywhere on the battery. Greedy set cover, then distinct outputs, in battery order.
    """
    battery = BATTERY[program.takes]
    chosen = {0}
    open_masks = [mask for mask in differences(program, battery, outputs) if not mask & 1]
    order = list(range(1, len(battery)))
    rng.shuffle(order)
    while open_masks:
        best = max(order, key=lambda i: sum([mask >> i & 1 for mask in open_masks]))
        chosen.add(best)
        open_masks = [mask for mask in open_masks if not mask >> best & 1]
    seen = [outputs[i] for i in chosen]
    for fresh_only in (True, False):
        for i in order:
            if len(chosen) < FEWEST and i not in chosen and not (fresh_only and outputs[i] in seen):
                chosen.add(i)
                seen.append(outputs[i])
    return tuple(_case(battery[i], outputs[i]) for i in sorted(chosen))


def public_cases(program: Program, rng: random.Random) -> tuple[Case, Case]:
    """Two short examples with different outputs wherever the shown inputs hold such, full outputs before empty ones."""
    shown = SHOWN[program.takes]
    start = int(rng.random() * len(shown))
    values = shown[start:] + shown[:start]
    return _telling(program, values[:6]) or _telling(program, values) or _pair(values, program.outputs(values[:2]))


def _telling(program: Program, values: list[Any]) -> tuple[Case, Case] | None:
    """The two most telling cases: outputs differ, and the first is not empty. None where there are no such."""
    pairs = list(zip(values, program.outputs(values), strict=True))
    pairs.sort(key=lambda pair: (not pair[1], len(repr(pair)) > 40))
    value, output = pairs[0]
    other = next((pair for pair in pairs[1:] if pair[1] != output), None)
    return _pair([value, other[0]], [output, other[1]]) if output and other else None


def _pair(values: list[Any], outputs: list[Any]) -> tuple[Case, Case]:
    return _case(values[0], outputs[0]), _case(values[1], outputs[1])


def _case(value: Any, output: Any) -> Case:
    """A case with a copy of its own: whoever changes the arguments must not change what programs are probed with."""
    return Case(args=(value.copy() if isinstance(value, list | dict) else value,), expected=output)
