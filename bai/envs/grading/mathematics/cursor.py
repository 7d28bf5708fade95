"""A place among the tokens of an answer, and the bounds on what is made of them."""

from __future__ import annotations

from collections.abc import Callable

from bai.envs.grading.mathematics.tokens import Token
from bai.envs.grading.mathematics.tree import Kind, Node, Unreadable

__all__ = ["MAX_DEPTH", "Cursor"]

MAX_DEPTH = 40
"""Deepest nesting."""
_MAX_NODES = 1_000
"""Most nodes of an answer."""


class Cursor:
    """A place among tokens.

    Args:
        tokens: What :func:`~bai.envs.grading.mathematics.tokens.tokenize` gave.
    """

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.at = 0
        self._depth = 0
        self._count = 0
        self.bars = 0
        """Bars of absolute values that are open: the next one closes."""

    @property
    def now(self) -> Token:
        """The token that comes next."""
        return self.tokens[self.at]

    def next(self) -> Token:
        """Goes past a token, never past the end, and gives it."""
        token = self.tokens[self.at]
        self.at = min(self.at + 1, len(self.tokens) - 1)
        return token

    def is_at(self, *texts: str) -> bool:
        """Whether one of some signs or commands comes next."""
        token = self.now
        return token.text in texts and (token.kind == "sign" or (token.kind == "name" and token.command))

    def take(self, *texts: str) -> bool:
        """Goes past one of some signs or commands, if one comes next."""
        if self.is_at(*texts):
            self.next()
            return True
        return False

    def expect(self, text: str) -> None:
        """Goes past a sign that has to come."""
        if not self.take(text):
            raise self.unexpected(f"; {text} was expected")

    def unexpected(self, more: str = "") -> Unreadable:
        """Gives the error that what comes next does not belong there."""
        found = repr(self.now.text[:20]) if self.now.kind != "end" else "the end"
        return Unreadable(f"{ascii(found)[1:-1]} is not expected there{more}")

    def node(self, kind: Kind, *parts: Node, value: str = "") -> Node:
        """Makes a node, within the bound on their number."""
        self._count += 1
        if self._count > _MAX_NODES:
            raise Unreadable(f"it has over {_MAX_NODES} parts")
        return Node(kind, parts, value)

    def deeper(self, parse: Callable[[], Node]) -> Node:
        """Parses what is nested, within the bound on depth."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Unreadable(f"it is nested over {MAX_DEPTH} deep")
        found = parse()
        self._depth -= 1
        return found
