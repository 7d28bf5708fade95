"""A batch whose families' prefixes are computed and kept once.

Shapes: F families, M most rows of a family, B live rows, S longest prefix (padded on the
right), R longest remainder (padded on the left, so that all rows draw their first token
at once), V vocabulary, L layers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import Cache, DynamicCache

from bai.models.decoding.attention import ATTENTION, OwnLayer, Shared
from bai.models.decoding.batch import Batch
from bai.models.decoding.plan import Family

__all__ = ["SharedBatch", "can_share"]

_PREFILL_TOKENS = 16_384
"""Prompt tokens fed at a time; more only costs memory."""

_SCORE_FIELDS = ("attn_logit_softcapping", "attention_sinks", "position_embedding_type")
"""Configuration fields of models whose scores are not plain scaled products."""


def can_share(model: Any) -> bool:
    """Whether every layer attends by plain softmax to all tokens before, through transformers' registry."""
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    return (
        bool(getattr(model, "_supports_attention_backend", False))
        and kinds == {"full_attention"}
        and not getattr(config, "sliding_window", None)
        and not any(getattr(config, name, None) for name in _SCORE_FIELDS)
    )


class SharedBatch(Batch):
    """Rows of families with shared prefixes, with remainders or without."""

    def __init__(self, model: Any, families: Sequence[Family], *, room: int, record: bool) -> None:
        super().__init__(model, families, room=room, record=record)
        self._lengths = [len(family.prefix) for family in families]
        self._owners = [index for index, family in enumerate(families) for _ in family.rows]
        self._rest = max(family.rest for family in families)
        layers = [OwnLayer(self._rest + room) for _ in range(model.config.get_text_config().num_hidden_layers)]
        self._shared = Shared(keys=[], values=[], own=Cache(layers=layers))
        self._own_bias: Tensor | None = None
        self._own_length = 0
        self._next = torch.tensor(self._lengths, device=self.device)[self._owners, None]

    def prefill(self) -> Tensor:
        parts = [self._feed_prefixes(part) for part in self._parts()]
        caches = [cache for _, cache in parts]
        for layer in range(len(self._shared.own)):
            self._shared.keys.append(_stack([cache.layers[layer].keys for cache in caches]))
            self._shared.values.append(_stack([cache.layers[layer].values for cache in caches]))
        self._shared.prefix_bias = self._hide_padding()
        self._arrange()
        if self._rest:
            return self._feed_remainders()
        return torch.cat([logits for logits, _ in parts])[self._owners]

    def step(self, tokens: Tensor) -> Tensor:
        self._own_length += 1
        bias = self._own_bias
        self._shared.own_bias = None if bias is None else bias[..., : self._own_length]
        output = self._feed(tokens[:, None], self._next)
        if self.log is not None:
            self.log.add_step(output.routes[:, 0])
        self._next = self._next + 1
        logits: Tensor = output.logits[:, -1]
        return logits

    def keep(self, places: Tensor) -> None:
        self._shared.own.batch_select_indices(places)
        self._owners = [self._owners[place] for place in places.tolist()]
        self._next = self._next[places]
        if self._own_bias is not None:
            self._own_bias = self._own_bias[places]
        if self.log is not None:
            self.log.keep(places)
        self._drop_families()
        self._arrange()

    def _parts(self) -> Iterator[slice]:
        """Cuts the families into runs of about ``_PREFILL_TOKENS`` tokens."""
        start = width = 0
        for index, length in enumerate(self._lengths):
            width = max(width, length)
            if (index + 1 - start) * width > _PREFILL_TOKENS and index > start:
                yield slice(start, index)
                start, width = index, length
        yield slice(start, len(self._lengths))

    def _feed_prefixes(self, part: slice) -> tuple[Tensor, Any]:
        """Feeds some prefixes, padded on the right: no token looks to its right, so no mask is needed."""
        lengths = self._lengths[part]
        ids = torch.zeros(len(lengths), max(lengths), dtype=torch.long)
        for place, family in enumerate(self.families[part]):
            ids[place, : lengths[place]] = torch.tensor(family.prefix)
        ends, end_of = torch.unique(torch.tensor(lengths, device=self.device), return_inverse=True)
        cache = DynamicCache(config=self.model.config)
        output = self.model(
            input_ids=ids.to(self.device), past_key_values=cache, **{**self.options, "logits_to_keep": ends - 1}
        )
        if self.log is not None:
            self.log.add_prefixes([table[:length] for table, length in zip(output.routes, lengths, strict=True)])
        return output.logits[torch.arange(len(lengths), device=self.device), end_of], cache

    def _hide_padding(self) -> Tensor | None:
        """[F, 1, 1, S] for the prefixes' padding."""
        lengths = torch.tensor(self._lengths, device=self.device)
        steps = torch.arange(max(self._lengths), device=self.device)
        hidden = steps >= lengths[:, None]
        return _bias(hidden)[:, None, None] if bool(hidden.any()) else None

    def _feed_remainders(self) -> Tensor:
        """Feeds what each prompt has beyond its prefix; [B, V] logits of its last token."""
        R, remainders = self._rest, [row.remainder for family in self.families for row in family.rows]
        pads = torch.tensor([R - len(remainder) for remainder in remainders], device=self.device)[:, None]
        ids = torch.tensor([[0] * (R - len(remainder)) + list(remainder) for remainder in remainders])
        steps = torch.arange(R, device=self.device)
        padding = steps < pads
        # A padded query sees itself, for a softmax needs something to see; nobody sees it.
        hidden = (padding[:, None, :] | (steps[None, :] > steps[:, None])) & ~torch.eye(
            R, dtype=torch.bool, device=self.device
        )
        self._shared.own_bias = _bias(hidden)[:, None]
        if bool(padding.any()):
            later = padding.new_zeros(len(remainders), self.room)
            self._own_bias = _bias(torch.cat([padding, later], dim=1))[:, None, None]
        self._own_length = R
        output = self._feed(ids.to(self.device), (self._next + steps - pads).clamp_(min=0))
        if self.log is not None:
            tables = zip(output.routes, remainders, strict=True)
            self.log.add_remainders([table[R - len(remainder) :] for table, remainder in tables])
        self._next = self._next + R - pads
        logits: Tensor = output.logits[:, -1]
        return logits

    def _feed(self, ids: Tensor, positions: Tensor) -> Any:
        config = self.model.config.get_text_config()
        usual = config._attn_implementation
        config._attn_implementation = ATTENTION
        try:
            return self.model(
                input_ids=ids,
                position_ids=positions,
                past_key_values=self._shared.own,
                shared=self._shared,
                **self.options,
            )
        finally:
            config._attn_implementation = usual

    def _drop_families(self) -> None:
        """Forgets prefixes without rows once they are a quarter."""
        alive = sorted(set(self._owners))
        shared = self._shared
        if len(alive) > 0.75 * len(shared.keys[0]):
            return
        shared.keys = [key[alive] for key in shared.keys]
        shared.values = [value[alive] for value in shared.values]
        if shared.prefix_bias is not None:
            shared.prefix_bias = shared.prefix_bias[alive]
        renumbered = {old: new for new, old in enumerate(alive)}
        self._owners = [renumbered[owner] for owner in self._owners]

    def _arrange(self) -> None:
        """Lays rows out by family: [F, M] places, the empty ones of short families filled with row 0."""
        shared, F = self._shared, len(self._shared.keys[0])
        counts = [0] * F
        places = []
        for owner in self._owners:
            places.append((owner, counts[owner]))
            counts[owner] += 1
        M = max(counts)
        if min(counts) == M:
            shared.slots = shared.places = None
            return
        flat = torch.tensor([owner * M + rank for owner, rank in places], device=self.device)
        slots = torch.zeros(F * M, dtype=torch.long, device=self.device)
        slots[flat] = torch.arange(len(places), device=self.device)
        shared.slots, shared.places = slots.view(F, M), flat


def _stack(parts: list[Tensor]) -> Tensor:
    """Joins [F, H, S, D] parts of different S into one, padded on the right."""
    if len(parts) == 1:
        return parts[0]
    widest = max(part.shape[2] for part in parts)
    whole = parts[0].new_zeros(sum(map(len, parts)), parts[0].shape[1], widest, parts[0].shape[3])
    start = 0
    for part in parts:
        whole[start : start + len(part), :, : part.shape[2]] = part
        start += len(part)
    return whole


def _bias(hidden: Tensor) -> Tensor:
    """Turns what is hidden into -inf, the rest into 0."""
    return torch.zeros(hidden.shape, device=hidden.device).masked_fill_(hidden, float("-inf"))
