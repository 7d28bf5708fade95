"""A dump of MySQL databases, as ``mysqldump`` writes it, turned into scripts for SQLite.

Of a table, its columns come over with their type, NOT NULL, default and collation, its keys, unique keys and foreign
keys; secondary indexes and the engine's options do not. A type is rounded to SQLite's nearest (``varchar(20)`` to TEXT,
``double`` to REAL), so that values compare and sort as they do in MySQL. Its collations that end in ``_ci`` ignore the
case of letters, as SQLite's NOCASE does for ASCII letters; accents and blanks at the end count here, and not in MySQL.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from bai.envs.tasks.spider.dialect import Token, quoted, quoted_name, statements
from bai.errors import DataError

__all__ = ["scripts"]

_TYPES = {
    "INTEGER": ("INT", "INTEGER", "TINYINT", "SMALLINT", "MEDIUMINT", "BIGINT", "YEAR", "BIT", "BOOL", "BOOLEAN"),
    "REAL": ("DOUBLE", "FLOAT", "REAL"),
    "NUMERIC": ("DECIMAL", "NUMERIC", "DEC"),
    "BLOB": ("BLOB", "TINYBLOB", "MEDIUMBLOB", "LONGBLOB", "BINARY", "VARBINARY"),
}
_TYPE_OF = {name: kind for kind, names in _TYPES.items() for name in names}


def scripts(dump: str) -> dict[str, list[str]]:
    """Gives, of each database of a dump, the SQLite statements that make and fill its tables, in the dump's order.

    Raises:
        DataError: It holds a statement on tables that is not understood, or one before any ``USE``.
    """
    made: dict[str, list[str]] = {}
    current: list[str] | None = None
    for statement in statements(dump):
        words = [token.value.upper() for token in statement if token.kind == "word"][:2]
        if words[:1] == ["USE"]:
            current = made.setdefault(next(token.value for token in statement if token.kind == "name"), [])
        elif words in (["CREATE", "TABLE"], ["INSERT", "INTO"]):
            if current is None:
                raise DataError(f"expected USE before {' '.join(words)}")
            current.append(_create(statement) if words[0] == "CREATE" else quoted(statement))
        elif words[:1] not in (["CREATE"], ["DROP"], ["LOCK"], ["UNLOCK"], ["GRANT"], ["FLUSH"], ["SET"]):
            raise DataError(f"a dump does not hold {' '.join(words)!r}")
    return made


def _create(statement: list[Token]) -> str:
    solid = [token for token in statement if token.kind != "space"]
    opening = solid.index(Token("sign", "("))
    name = quoted_name(solid[opening - 1].value)
    lines = [line for part in _parts(solid[opening + 1 :]) if (line := _line(part))]
    return f"CREATE TABLE {name} (\n  " + ",\n  ".join(lines) + "\n)"


def _parts(rest: list[Token]) -> Iterator[list[Token]]:
    """Splits the body of a table at its outer commas, up to the parenthesis that closes it."""
    depth, part = 0, list[Token]()
    for token in rest:
        depth += {"(": 1, ")": -1}.get(token.value, 0) if token.kind == "sign" else 0
        if depth < 0:
            yield part
            return
        if depth == 0 and token == ("sign", ","):
            yield part
            part = []
        else:
            part.append(token)
    raise DataError("expected CREATE TABLE to close its parenthesis")


def _line(part: list[Token]) -> str:
    """Writes a column or a constraint; nothing for an index."""
    if part[0].kind == "name":
        return _column(part)
    if part[0].is_word("KEY", "INDEX", "FULLTEXT", "SPATIAL"):
        return ""
    if part[0].is_word("UNIQUE"):
        return "UNIQUE " + _names(part)
    words = [token.value.upper() for token in part if token.kind == "word"]
    if words[:2] == ["PRIMARY", "KEY"]:
        return "PRIMARY KEY " + _names(part)
    if words[:3] == ["CONSTRAINT", "FOREIGN", "KEY"]:
        at = next(index for index, token in enumerate(part) if token.is_word("REFERENCES"))
        return f"FOREIGN KEY {_names(part[:at])} REFERENCES {quoted([part[at + 1]])} {_names(part[at + 1 :])}"
    raise DataError(f"a table does not hold {' '.join(token.value for token in part)!r}")


def _names(part: list[Token]) -> str:
    opening = part.index(Token("sign", "("))
    return "(" + ", ".join(quoted([token]) for token in part[opening:] if token.kind == "name") + ")"


def _column(part: list[Token]) -> str:
    kind = _TYPE_OF.get(part[1].value.upper(), "TEXT")
    written = [quoted_name(part[0].value), kind]
    for token, following in itertools.pairwise([*part[2:], Token("space", " ")]):
        if token.is_word("NOT") and following.is_word("NULL"):
            written.append("NOT NULL")
        elif token.is_word("DEFAULT"):
            written.append(f"DEFAULT {quoted([following])}")
        elif token.is_word("COLLATE") and following.value.lower().endswith("_ci"):
            written.append("COLLATE NOCASE")
    return " ".join(written)
