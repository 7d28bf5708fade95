"""Cuts the rows of one optimizer step into forward passes that fit into memory.

Rows of padding are left out, and each piece is as wide as its longest row. Rows of one group
stay together, so that they can share their prefix, and groups of like lengths meet, so that
little is padded. Since every token carries its weight, the sum over the pieces does not depend
on how they are cut.

Shapes: B rows, T tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from bai.agents.grpo import columns

__all__ = ["micro_batches"]


def micro_batches(batch: Mapping[str, Tensor], max_tokens: int | None) -> Iterator[dict[str, Tensor]]:
    """Yields pieces of a batch, the widest first, so that what does not fit fails at once.

    Args:
        batch: Columns of :mod:`bai.agents.grpo.columns`.
        max_tokens: Most padded tokens of one piece; a single row may exceed it. None for one piece.

    Yields:
        Columns of [b, t] with b <= B and t <= T; nothing at all for a batch of padding.
    """
    lengths = batch[columns.ATTENTION_MASK].sum(-1)
    for rows in _pieces(batch[columns.GROUP_INDEX].tolist(), lengths.tolist(), max_tokens):
        index = torch.tensor(rows, device=lengths.device)
        yield _cut(batch, index, int(lengths[index].max()))


def _pieces(groups: list[int], lengths: list[int], max_tokens: int | None) -> Iterator[list[int]]:
    """Row numbers of each piece: whole runs of groups, each sorted by falling length."""
    members: dict[int, list[int]] = {}
    for row in sorted(range(len(groups)), key=lambda row: -lengths[row]):
        if groups[row] >= 0:
            members.setdefault(groups[row], []).append(row)
    piece: list[int] = []
    width = 0
    for row in (row for rows in members.values() for row in rows):
        width = max(width, lengths[row])
        if piece and max_tokens is not None and (len(piece) + 1) * width > max_tokens:
            yield piece
            piece, width = [], lengths[row]
        piece.append(row)
    if piece:
        yield piece


def _cut(batch: Mapping[str, Tensor], index: Tensor, width: int) -> dict[str, Tensor]:
    shape = batch[columns.INPUT_IDS].shape
    rows = {name: column[index] for name, column in batch.items()}
    return {name: column[:, :width] if column.shape[1:2] == shape[1:] else column for name, column in rows.items()}
