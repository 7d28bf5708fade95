"""MySQL's way of writing SQL, read token by token and written in SQLite's.

Both agree on most of what Spider uses. They differ in how a text is quoted: MySQL takes ``"a"`` and ``'a'`` for text,
with backslash escapes, and `` `a` `` for a name; SQLite takes ``"a"`` for a name (and, in most builds, for text where
no such name is found, which turns a wrong guess into a silent one).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from bai.errors import DataError

__all__ = ["Token", "quoted", "quoted_name", "statements", "to_sqlite", "tokens"]

Kind = Literal["word", "number", "text", "name", "sign", "space"]


class Token(NamedTuple):
    """A piece of SQL."""

    kind: Kind
    """``word``: a keyword or a bare name; ``text`` and ``name``: what was quoted, without its quotes."""
    value: str
    """The piece; of white space and comments, one blank."""

    def is_word(self, *words: str) -> bool:
        """Whether it is one of these keywords, in any case."""
        return self.kind == "word" and self.value.upper() in words


_PIECES = re.compile(
    r"""(?P<space>\s+|--[^\n]*|\#[^\n]*|/\*.*?\*/)
      | (?P<single>'(?:[^'\\]|\\.|'')*')
      | (?P<double>"(?:[^"\\]|\\.|"")*")
      | (?P<name>`(?:[^`]|``)*`)
      | (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)(?![A-Za-z_$])
      | (?P<word>[\w$@]+)
      | (?P<sign><>|!=|<=|>=|\|\||[^\s\w'"`])""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", "b": "\b", "Z": "\x1a"}


def tokens(sql: str) -> Iterator[Token]:
    """Reads SQL as MySQL does (``sql_mode`` without ``ANSI_QUOTES``).

    Raises:
        DataError: A quote that is not closed.
    """
    at = 0
    while at < len(sql):
        found = _PIECES.match(sql, at)
        if found is None:
            raise DataError(f"expected SQL with closed quotes; got {sql[at : at + 40]!r}")
        yield _token(found)
        at = found.end()


def _token(found: re.Match[str]) -> Token:
    kind, piece = str(found.lastgroup), found.group()
    if kind in ("single", "double"):
        return Token("text", _unescaped(piece[1:-1].replace(piece[0] * 2, piece[0])))
    if kind == "name":
        return Token("name", piece[1:-1].replace("``", "`"))
    return Token(kind, " " if kind == "space" else piece)  # type: ignore[arg-type]


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), text, flags=re.DOTALL)


def statements(sql: str) -> Iterator[list[Token]]:
    """Splits a script at its semicolons, each statement without space at its start; empty ones are passed over."""
    statement: list[Token] = []
    for token in tokens(sql):
        if token == ("sign", ";"):
            if statement:
                yield statement
            statement = []
        elif statement or token.kind != "space":
            statement.append(token)
    if statement:
        yield statement


def _quoted_text(value: str) -> str:
    """Writes a text as a literal of SQLite."""
    return "'" + value.replace("'", "''") + "'"


def quoted_name(value: str) -> str:
    """Writes a name as SQLite quotes it."""
    return '"' + value.replace('"', '""') + '"'


def quoted(pieces: Iterable[Token]) -> str:
    """Writes tokens in SQLite's dialect: texts in single quotes, names in double ones, all else as it is."""
    write = {"text": _quoted_text, "name": quoted_name}
    return "".join(write.get(token.kind, str)(token.value) for token in pieces).strip()


def to_sqlite(sql: str) -> str:
    """Writes one MySQL query in SQLite's dialect, without a semicolon at its end.

    Raises:
        DataError: It cannot be read.
    """
    return quoted(tokens(sql)).rstrip(";").rstrip()
