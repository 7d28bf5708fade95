"""Stop strings, found in the bytes as they are sampled.

A stop string may span tokens and end inside one. With a byte-level tokenizer a
completion's text is the concatenation of its tokens' bytes, so each token costs one
search in a short tail, and the answer is exact: UTF-8 resynchronises at the first byte of
the stop string whatever broken bytes stand before it. Other tokenizers are decoded again
from a tail of tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["StopFinder", "StopTail", "token_bytes_table"]

_MARGIN = 8
"""Tokens decoded beyond the longest stop string, where decoding in context may differ."""


def token_bytes_table(tokenizer: Any) -> list[bytes] | None:
    """Gives each token's bytes, or None if the tokenizer is not byte-level.

    A tokenizer is taken for byte-level if its backend decodes with ``ByteLevel``.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or type(backend.decoder).__name__ != "ByteLevel":
        return None
    to_byte = {char: byte for byte, char in enumerate(_byte_alphabet())}
    added = backend.get_added_tokens_decoder()
    table = []
    for token_id in range(len(tokenizer)):
        token = backend.id_to_token(token_id) or ""
        if token_id in added:
            table.append(token.encode())
        else:
            table.append(bytes(to_byte[char] for char in token))
    return table


def _byte_alphabet() -> list[str]:
    """Gives the character that stands for each byte in byte-level vocabularies (GPT-2's mapping).

    Printable Latin-1 bytes stand for themselves; the others take the characters from U+0100 on.
    """
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    spare = iter(range(0x100, 0x200))
    return [chr(byte) if byte in printable else chr(next(spare)) for byte in range(256)]


class StopFinder:
    """Finds stop strings for one tokenizer.

    Args:
        tokenizer: A transformers tokenizer.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._table = token_bytes_table(tokenizer)

    def open(self, stop: Sequence[str]) -> StopTail:
        """Starts watching one completion."""
        if self._table is None:
            return _DecodedTail(self._tokenizer, stop)
        return _ByteTail(self._table, stop)


class StopTail:
    """The end of one completion, as far as a stop string may still begin in it."""

    def push(self, token_id: int) -> bool:
        """Adds a token; tells whether a stop string is now complete."""
        raise NotImplementedError


class _ByteTail(StopTail):
    def __init__(self, table: list[bytes], stop: Sequence[str]) -> None:
        self._table = table
        self._stop = tuple(word.encode("utf-8", "surrogatepass") for word in stop)
        self._keep = max(map(len, self._stop)) - 1
        self._tail = b""

    def push(self, token_id: int) -> bool:
        # Ids beyond the tokenizer (padded embedding rows) have no text.
        tail = self._tail + (self._table[token_id] if token_id < len(self._table) else b"")
        self._tail = tail[max(0, len(tail) - self._keep) :]
        return any(word in tail for word in self._stop)


class _DecodedTail(StopTail):
    def __init__(self, tokenizer: Any, stop: Sequence[str]) -> None:
        self._tokenizer = tokenizer
        self._stop = tuple(stop)
        self._keep = max(len(word.encode("utf-8", "surrogatepass")) for word in stop) + _MARGIN
        self._tail: list[int] = []

    def push(self, token_id: int) -> bool:
        self._tail = [*self._tail[-self._keep :], token_id]
        text = self._tokenizer.decode(self._tail, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return any(word in text for word in self._stop)
