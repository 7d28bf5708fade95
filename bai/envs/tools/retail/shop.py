"""The shop's data: what is in its file, and what an episode has changed of it."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bai.envs.stamps import Stamp, stamp
from bai.errors import ConfigError, ToolFault
from bai.types import JSON

__all__ = ["Shop"]


class Shop:
    """Users and orders that can be changed, over those of a file that cannot.

    Args:
        file: JSON of ``{"users", "orders", "products"}``, each by id.
        changed: What is changed: ``{"users": {...}, "orders": {...}}``, each whole record by id. It is written to.

    Raises:
        ConfigError: The file cannot be read, or holds something else.
    """

    def __init__(self, file: str, changed: dict[str, dict[str, JSON]]) -> None:
        path = Path(file)
        self._base = _read(path, stamp([path]))
        self._changed = changed

    def seen(self, kind: str, key: str) -> JSON:
        """Gives a record to look at, never to change.

        Raises:
            ToolFault: There is none.
        """
        record = self._changed.get(kind, {}).get(key) or self._base[kind].get(key)
        if record is None:
            raise ToolFault(f"there is no {kind[:-1]} {key!r:.80}", "failed")
        return dict(record)

    def own(self, kind: str, key: str) -> JSON:
        """Gives a record that may be changed. Raises as :meth:`seen`."""
        return self._changed[kind].setdefault(key, copy.deepcopy(self.seen(kind, key)))

    def users(self) -> Iterable[JSON]:
        """Goes through all users."""
        return (self.seen("users", key) for key in self._base["users"])

    def products(self) -> Iterable[JSON]:
        """Goes through all products."""
        return iter(self._base["products"].values())

    def variant(self, item_id: str) -> tuple[JSON, JSON]:
        """Gives a product and its variant of this item id.

        Raises:
            ToolFault: There is none.
        """
        for product in self._base["products"].values():
            if item_id in product["variants"]:
                return product, product["variants"][item_id]
        raise ToolFault(f"there is no item {item_id!r:.80}", "failed")

    def difference(self) -> dict[str, dict[str, JSON]]:
        """Gives the records that are not as they were in the file."""
        return {
            kind: {key: record for key, record in records.items() if record != self._base[kind][key]}
            for kind, records in self._changed.items()
        }


@functools.lru_cache(maxsize=4)
def _read(path: Path, stamp: Stamp) -> Mapping[str, Mapping[str, Any]]:
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"the shop's data at {path} cannot be read: {error}") from error
    if not isinstance(data, dict) or not all(isinstance(data.get(kind), dict) for kind in _KINDS):
        raise ConfigError(f"expected {path} to hold {', '.join(_KINDS)}, each by id")
    return data


_KINDS = ("users", "orders", "products")
