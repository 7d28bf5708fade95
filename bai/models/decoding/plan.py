"""Who is decoded with whom: rows that share a prefix become a family, families fill a batch.

Shapes: U distinct prompts, F families of a batch, B rows, S longest prefix, R longest
remainder.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Family", "Row", "plan_batches"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One completion to be drawn."""

    prompt: int
    """Index of its prompt."""
    member: int
    """Its number among the completions of that prompt."""
    remainder: tuple[int, ...] = ()
    """What its prompt has beyond the family's prefix."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """Rows whose prompts begin alike."""

    prefix: tuple[int, ...]
    """Tokens shared by all rows; computed once. At least one."""
    rows: tuple[Row, ...]
    """At least one."""

    @property
    def rest(self) -> int:
        """Tokens of the longest remainder."""
        return max(len(row.remainder) for row in self.rows)


def plan_batches(
    prompts: Sequence[tuple[int, ...]], n: int, *, room: int, budget: int, share: bool
) -> Iterator[list[Family]]:
    """Cuts the work into batches within the token budget, prompts of like length together.

    Equal prompts are always one family. In a batch either no row has a remainder or every row has one.

    Args:
        prompts: The prompts; equal ones may occur.
        n: Completions of each.
        room: Most tokens drawn for a row.
        budget: Most tokens cached at a time, padding included; a single row may exceed it.
        share: Whether the model's batch computes a shared prefix once and remainders apart. Without it,
            a row's whole prompt counts against the budget.
    """
    owners: dict[tuple[int, ...], list[Row]] = {}
    for index, prompt in enumerate(prompts):
        owners.setdefault(prompt, []).extend(Row(prompt=index, member=j) for j in range(n))
    alone = [Family(prefix=prompt, rows=tuple(rows)) for prompt, rows in owners.items()]
    families = _merge(alone) if share else alone
    for with_rest in (False, True):
        chosen = [family for family in families if (family.rest > 0) == with_rest]
        # Longest first: memory peaks in the first batch.
        chosen.sort(key=lambda family: -(len(family.prefix) + family.rest))
        yield from _fill(chosen, room, budget, share)


def _merge(alone: list[Family]) -> list[Family]:
    """Joins neighbours in lexicographic order where computing their common prefix once saves tokens."""
    ordered = sorted(alone, key=lambda family: family.prefix)
    merged: list[list[Family]] = []
    shared = 0
    for family in ordered:
        if merged:
            common = min(shared, _common(merged[-1][-1].prefix, family.prefix))
            if _cost([*merged[-1], family], common) < _cost(merged[-1], shared) + len(family.prefix):
                merged[-1].append(family)
                shared = common
                continue
        merged.append([family])
        shared = len(family.prefix)
    return [_join(group) for group in merged]


def _common(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    """Length of the common prefix of two prompts in order, at most one token short of the first."""
    length = min(len(one), len(other))
    unlike = np.flatnonzero(np.asarray(one[:length]) != np.asarray(other[:length]))
    return min(int(unlike[0]) if len(unlike) else length, len(one) - 1)


def _cost(group: list[Family], common: int) -> int:
    """Tokens to be computed before the first is drawn."""
    if len(group) == 1:
        return len(group[0].prefix)
    if common < 1:
        return 1 << 62
    return common + sum((len(family.prefix) - common) * len(family.rows) for family in group)


def _join(group: list[Family]) -> Family:
    if len(group) == 1:
        return group[0]
    common = min(_common(one.prefix, other.prefix) for one, other in itertools.pairwise(group))
    rows = [
        Row(prompt=row.prompt, member=row.member, remainder=family.prefix[common:])
        for family in group
        for row in family.rows
    ]
    return Family(prefix=group[0].prefix[:common], rows=tuple(rows))


def _fill(families: list[Family], room: int, budget: int, share: bool) -> Iterator[list[Family]]:
    batch: list[Family] = []
    widest = rest = rows = 0
    for family in families:
        pending = list(family.rows)
        while pending:
            wider, longer = max(widest, len(family.prefix)), max(rest, family.rest)
            prefixes = wider * (len(batch) + 1) if share else 0
            each = longer + room + (0 if share else wider)
            fit = (budget - prefixes) // each - rows
            if fit < 1 and batch:
                yield batch
                batch, widest, rest, rows = [], 0, 0, 0
                continue
            taken, pending = pending[: max(fit, 1)], pending[max(fit, 1) :]
            batch.append(Family(prefix=family.prefix, rows=tuple(taken)))
            widest, rest, rows = wider, longer, rows + len(taken)
    if batch:
        yield batch
