"""The contract between the sampling loop and what a batch of rows has computed.

Shapes: B live rows, t tokens drawn, V vocabulary, L layers, K experts a token.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bai.models.decoding.plan import Family

__all__ = ["Batch", "RouteLog", "can_record_routes"]


def can_record_routes(model: Any) -> bool:
    """Whether the model's forward takes ``record_routes``; looks through a PEFT wrapper."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    return "record_routes" in inspect.signature(inner.forward).parameters


class Batch(ABC):
    """Rows under way: the families' rows in order, less those that have left.

    Args:
        model: The causal language model.
        families: Whose rows these are.
        room: Most tokens that will be drawn for a row.
        record: Whether to record expert routes.
    """

    def __init__(self, model: Any, families: Sequence[Family], *, room: int, record: bool) -> None:
        self.model = model
        self.families = families
        self.room = room
        self.device: torch.device = model.get_input_embeddings().weight.device
        self.options: dict[str, Any] = {"use_cache": True, "logits_to_keep": 1}
        if record:
            self.options["record_routes"] = True
        self.log = RouteLog(families) if record else None

    @abstractmethod
    def prefill(self) -> Tensor:
        """Feeds the prompts; gives the [B, V] logits of each row's first token."""

    @abstractmethod
    def step(self, tokens: Tensor) -> Tensor:
        """Feeds one token a row, [B]; gives the [B, V] logits of the next."""

    @abstractmethod
    def keep(self, places: Tensor) -> None:
        """Keeps the rows at these places of the batch, in rising order; the others have left."""

    def routes(self, row: int, length: int) -> NDArray[np.uint8] | None:
        """Gives the [prompt + length, L, K] routes of a row by its place at the start.

        The last token of a completion is never fed, so its row repeats the one before it.
        """
        return None if self.log is None else self.log.table(row, length)


class RouteLog:
    """Expert routes as they were recorded, put together by row when a row is done."""

    def __init__(self, families: Sequence[Family]) -> None:
        self._family_of = [index for index, family in enumerate(families) for _ in family.rows]
        self._prefixes: list[Tensor] = []
        self._remainders: list[Tensor] | None = None
        self._rows = np.arange(len(self._family_of))
        self._steps: list[tuple[NDArray[np.int64], NDArray[np.uint8]]] = []
        self._table: NDArray[np.uint8] | None = None

    def add_prefixes(self, routes: Sequence[Tensor]) -> None:
        """Adds the [tokens, L, K] routes of further families, in order."""
        self._prefixes += [table.to(torch.uint8).cpu() for table in routes]

    def add_remainders(self, routes: Sequence[Tensor]) -> None:
        """Adds the [tokens, L, K] routes of every row's remainder."""
        self._remainders = [table.to(torch.uint8).cpu() for table in routes]

    def add_step(self, routes: Tensor) -> None:
        """Adds the [B, L, K] routes of one fed token of each live row."""
        self._steps.append((self._rows, routes.to(torch.uint8).cpu().numpy()))

    def keep(self, places: Tensor) -> None:
        self._rows = self._rows[places.cpu().numpy()]

    def table(self, row: int, length: int) -> NDArray[np.uint8]:
        """Gives one row's routes, in order, for its prompt and ``length`` tokens drawn."""
        parts = [self._prefixes[self._family_of[row]].numpy()]
        if self._remainders is not None:
            parts.append(self._remainders[row].numpy())
        if self._steps:
            parts.append(self._by_row()[row, : length - 1])
        whole = np.concatenate(parts)
        return np.concatenate([whole, whole[-1:]])

    def _by_row(self) -> NDArray[np.uint8]:
        """[rows, steps, L, K] of all rows and steps; what a row that left never had is 0."""
        if self._table is None:
            shape = (len(self._family_of), len(self._steps), *self._steps[0][1].shape[1:])
            self._table = np.zeros(shape, dtype=np.uint8)
            for step, (rows, routes) in enumerate(self._steps):
                self._table[rows, step] = routes
        return self._table
