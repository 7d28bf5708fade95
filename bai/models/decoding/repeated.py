"""A batch over transformers' own cache: a prompt's entries are copied for each of its rows.

Slower than :mod:`bai.models.decoding.shared`, but it takes whatever layers a model has
(sliding windows, linear attention) as it only repeats, selects and appends.

Shapes: F families, B live rows, S longest prompt (the others are padded on the left), V
vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from bai.models.decoding.batch import Batch
from bai.models.decoding.plan import Family

__all__ = ["RepeatedBatch"]


class RepeatedBatch(Batch):
    """Rows whose prompts are their families' prefixes."""

    def __init__(self, model: Any, families: Sequence[Family], *, room: int, record: bool) -> None:
        super().__init__(model, families, room=room, record=record)
        lengths = [len(family.prefix) for family in families]
        self._width = max(lengths)
        self._is_padded = min(lengths) < self._width
        self._cache: Any = DynamicCache(config=model.config)
        self._mask = torch.zeros(0)
        self._next = torch.zeros(0)

    def prefill(self) -> Tensor:
        ids = torch.zeros(len(self.families), self._width, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for place, family in enumerate(self.families):
            ids[place, self._width - len(family.prefix) :] = torch.tensor(family.prefix)
            mask[place, self._width - len(family.prefix) :] = 1
        mask = mask.to(self.device)
        positions = (mask.cumsum(-1) - 1).clamp_(min=0)
        output = self._feed(ids.to(self.device), mask, positions)
        if self.log is not None:
            tables = zip(output.routes, self.families, strict=True)
            self.log.add_prefixes([table[self._width - len(family.prefix) :] for table, family in tables])
        counts = torch.tensor([len(family.rows) for family in self.families], device=self.device)
        owners = torch.arange(len(counts), device=self.device).repeat_interleave(counts)
        self._cache.batch_select_indices(owners)
        self._mask = torch.cat([mask[owners], mask.new_ones(len(owners), self.room)], dim=1)
        self._next = positions[owners, -1:] + 1
        logits: Tensor = output.logits[:, -1]
        return logits[owners]

    def step(self, tokens: Tensor) -> Tensor:
        self._width += 1
        output = self._feed(tokens[:, None], self._mask[:, : self._width], self._next)
        if self.log is not None:
            self.log.add_step(output.routes[:, 0])
        self._next = self._next + 1
        logits: Tensor = output.logits[:, -1]
        return logits

    def keep(self, places: Tensor) -> None:
        self._cache.batch_select_indices(places)
        self._mask, self._next = self._mask[places], self._next[places]
        if self.log is not None:
            self.log.keep(places)

    def _feed(self, ids: Tensor, mask: Tensor, positions: Tensor) -> Any:
        return self.model(
            input_ids=ids,
            attention_mask=mask if self._is_padded else None,
            position_ids=positions,
            past_key_values=self._cache,
            **self.options,
        )
