"""Giving JSON values back the types they had as Python values.

JSON turns tuples and sets into lists, complex numbers into strings and integer keys into strings. Given
examples of the true values (arguments written out in a task's assertions), a :class:`Shape` knows what
stands where, and restores other inputs of the same task. Items of one container share a shape.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Shape"]


@dataclass
class _Value:
    """What was seen at one place."""

    kinds: set[type] = field(default_factory=set)
    item: _Value | None = None
    """What was seen inside a list, a tuple or a set, or as the value of a dictionary."""
    key: _Value | None = None

    def see(self, value: Any) -> None:
        self.kinds.add(type(value))
        if isinstance(value, (list, tuple, set, frozenset, dict)):
            self.item = self.item or _Value()
            for part in value.values() if isinstance(value, dict) else value:
                self.item.see(part)
        if isinstance(value, dict):
            self.key = self.key or _Value()
            for part in value:
                self.key.see(part)

    def restore(self, value: Any, around: type | None = None, unseen: type = list) -> Any:
        if isinstance(value, list):
            kind = self._container(unseen)
            # Deeper than any example: a container that was seen inside its own kind goes on so.
            deeper = kind if kind is around else list
            return _make(kind, [(self.item or _Value()).restore(part, kind, deeper) for part in value])
        if isinstance(value, dict):
            item, key = self.item or _Value(), self.key or _Value()
            return {key.restore(name): item.restore(part) for name, part in value.items()}
        return self._number(value) if isinstance(value, str) and str not in self.kinds else value

    def _container(self, unseen: type) -> type:
        seen = self.kinds & {list, tuple, set, frozenset} or {unseen}
        return list if len(seen) > 1 else seen.pop()

    def _number(self, text: str) -> Any:
        wider = {int: (int, float, complex), float: (float, complex), complex: (complex,)}
        for kind in (to for seen in (int, float, complex) if seen in self.kinds for to in wider[seen]):
            try:
                return kind(text)
            except ValueError:
                continue
        return text


def _make(kind: type, parts: list[Any]) -> Any:
    try:
        return kind(parts)
    except TypeError:  # unhashable parts: it never was a set
        return parts


class Shape:
    """What the arguments of one function look like, position by position."""

    def __init__(self, positions: Sequence[_Value]) -> None:
        self._positions = positions

    @classmethod
    def of(cls, examples: Iterable[Sequence[Any]]) -> Shape:
        """Learns from lists of true arguments."""
        positions: list[_Value] = []
        for args in examples:
            for index, arg in enumerate(args):
                if index == len(positions):
                    positions.append(_Value())
                positions[index].see(arg)
        return cls(positions)

    def restore(self, args: Sequence[Any]) -> list[Any]:
        """Gives JSON arguments their types back; what has no example stays as it is."""
        known = [position.restore(arg) for position, arg in zip(self._positions, args, strict=False)]
        return known + list(args[len(known) :])
