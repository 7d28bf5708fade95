"""What a batch of rows has computed: keys, values and, where wanted, expert routes.

Shapes: P prompts, B live rows, S longest prompt, t tokens drawn, V vocabulary, L layers,
K experts a token.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import DynamicCache

__all__ = ["Batch", "open_batch"]


class Batch:
    """Rows of one batch over transformers' own cache: the prompt's is repeated for its completions.

    Works with whatever layers the model's cache has (sliding windows too).
    """

    def __init__(
        self, model: Any, prompts: Sequence[Sequence[int]], counts: Sequence[int], *, room: int, record: bool
    ) -> None:
        self._model = model
        self.device = model.get_input_embeddings().weight.device
        self._room = room
        self._kwargs = {"record_routes": True} if record else {}
        self._counts = torch.tensor(list(counts), device=self.device)
        self._lengths = [len(prompt) for prompt in prompts]
        self._width = max(self._lengths)
        self._ids = torch.zeros(len(prompts), self._width, dtype=torch.long)
        self._mask = torch.zeros(len(prompts), self._width, dtype=torch.long)
        for row, prompt in enumerate(prompts):
            self._ids[row, self._width - len(prompt) :] = torch.tensor(list(prompt))
            self._mask[row, self._width - len(prompt) :] = 1
        self._padded = min(self._lengths) < self._width
        self._cache: Any = DynamicCache(config=model.config)
        self._row_ids = torch.arange(sum(counts), device=self.device)
        self._prompt_of_row = torch.arange(len(prompts)).repeat_interleave(self._counts.cpu()).tolist()
        self._route_columns: list[tuple[Tensor, Tensor]] = []
        self._prompt_routes: Tensor | None = None

    def prefill(self) -> Tensor:
        """Feeds every prompt once; gives the [B, V] logits of each row's first token."""
        mask = self._mask.to(self.device)
        positions = (mask.cumsum(-1) - 1).clamp_(min=0)
        output = self._model(
            input_ids=self._ids.to(self.device),
            attention_mask=mask if self._padded else None,
            position_ids=positions,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
            **self._kwargs,
        )
        self._prompt_routes = getattr(output, "routes", None) if self._kwargs else None
        self._next = (positions[:, -1:] + 1).repeat_interleave(self._counts, dim=0)
        self._repeat(mask)
        logits: Tensor = output.logits[:, -1].repeat_interleave(self._counts, dim=0)
        return logits

    def _repeat(self, mask: Tensor) -> None:
        owners = torch.arange(len(self._counts), device=self.device).repeat_interleave(self._counts)
        if self._padded:
            tail = mask.new_ones(len(owners), self._room)
            self._row_mask = torch.cat([mask[owners], tail], dim=1)
        self._cache.batch_select_indices(owners)
        self._seen = self._width

    def step(self, tokens: Tensor) -> Tensor:
        """Feeds one token a row, [B]; gives the [B, V] logits of the next."""
        self._seen += 1
        output = self._model(
            input_ids=tokens[:, None],
            attention_mask=self._row_mask[:, : self._seen] if self._padded else None,
            position_ids=self._next,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
            **self._kwargs,
        )
        if self._kwargs:
            self._route_columns.append((self._row_ids, output.routes[:, 0]))
        self._next = self._next + 1
        logits: Tensor = output.logits[:, -1]
        return logits

    def keep(self, places: Tensor) -> None:
        """Keeps the rows at these places of the batch, in this order."""
        self._cache.batch_select_indices(places)
        self._row_ids, self._next = self._row_ids[places], self._next[places]
        if self._padded:
            self._row_mask = self._row_mask[places]

    def routes(self, row: int, length: int) -> NDArray[np.uint8] | None:
        """Gives [S + length, L, K] for a row as it was at the start; its last row repeats the one before."""
        if self._prompt_routes is None:
            return None
        prompt = self._prompt_of_row[row]
        known = [self._prompt_routes[prompt, self._width - self._lengths[prompt] :]]
        for ids, routes in self._route_columns[: length - 1]:
            place = int(torch.searchsorted(ids, row))
            known.append(routes[place : place + 1])
        table = torch.cat([*known, known[-1][-1:]])
        return table.cpu().numpy().astype(np.uint8)


def open_batch(
    model: Any, prompts: Sequence[Sequence[int]], counts: Sequence[int], *, room: int, record: bool
) -> Batch:
    """Makes the batch that suits the model.

    Args:
        model: The causal language model.
        prompts: P prompts.
        counts: P numbers of completions.
        room: Most tokens that will be drawn.
        record: Whether to record expert routes.
    """
    return Batch(model, prompts, counts, room=room, record=record)
