"""What a task's sources hold, as plain values that requests change as their gold calls would."""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bai.envs.tasks.tool_work.words import FILES, ITEMS, KEYS, WORDS
from bai.envs.tools.rows import sorted_rows

__all__ = ["Letter", "World", "draw_world"]

Letter = str
"""``s`` SQLite, ``p`` PostgreSQL, ``f`` files, ``r`` Redis, ``c`` calculator."""


@dataclass
class World:
    """All of it."""

    stock: dict[str, int] = field(default_factory=dict)
    """Item -> how many: the table ``stock(item, n)``."""
    price: dict[str, int] = field(default_factory=dict)
    """Item -> what one costs: the table ``price(item, cost)``; there is no such table where it is empty."""
    sold: dict[str, int] = field(default_factory=dict)
    """Item -> how many: the table ``sold(item, n)``, which begins empty."""
    has_sold: bool = False
    """Whether there is a table ``sold``."""
    files: dict[str, str] = field(default_factory=dict)
    """Path -> text."""
    keys: dict[str, Any] = field(default_factory=dict)
    """Key -> text, or a list of texts, of the key-value server."""

    def copy(self) -> World:
        return copy.deepcopy(self)

    def script(self) -> str:
        """Gives the SQL that makes the tables."""
        lines = []
        for name, column, rows in self._tables():
            lines.append(f"CREATE TABLE {name} (item TEXT PRIMARY KEY, {column} INTEGER NOT NULL);")
            if rows:
                values = ", ".join(f"('{item}', {number})" for item, number in rows.items())
                lines.append(f"INSERT INTO {name} VALUES {values};")  # noqa: S608 - words and numbers of our own
        return "\n".join(lines)

    def tables(self) -> dict[str, Any]:
        """Gives the tables as an end state."""
        return {
            name: {"columns": ["item", column], "rows": sorted_rows([list(row) for row in rows.items()])}
            for name, column, rows in sorted(self._tables(), key=lambda table: table[0])
        }

    def _tables(self) -> Sequence[tuple[str, str, dict[str, int]]]:
        tables = [("stock", "n", self.stock)]
        if self.price:
            tables.append(("price", "cost", self.price))
        if self.has_sold:
            tables.append(("sold", "n", self.sold))
        return tables

    def heading(self) -> str:
        """Names the tables and their columns, for the prompt."""
        return " ".join(f"{name}(item, {column})" for name, column, _ in self._tables())

    def spare_item(self, rng: random.Random) -> str:
        """Draws an item that is not in stock."""
        return rng.choice([item for item in ITEMS if item not in self.stock])

    def spare_file(self, rng: random.Random) -> str:
        """Draws the name of a file that there is not."""
        return rng.choice([path for path in FILES if path not in self.files])


def draw_world(rng: random.Random, size: int, *, many: bool) -> World:
    """Draws what there is.

    Args:
        rng: The only source of chance.
        size: Items in stock.
        many: Whether there are the tables ``price`` and ``sold``.
    """
    items = rng.sample(ITEMS, size)
    return World(
        stock={item: rng.randint(2, 99) for item in items},
        price={item: rng.randint(2, 20) for item in items} if many else {},
        has_sold=many,
        files={path: f"{rng.choice(WORDS)} {rng.randint(2, 99)}\n" for path in rng.sample(FILES, 2)},
        keys={key: str(rng.randint(2, 99)) for key in rng.sample(KEYS, 3)},
    )
