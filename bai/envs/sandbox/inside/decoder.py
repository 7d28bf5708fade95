"""Bytes to plain data: the reading half of :mod:`~bai.envs.sandbox.inside.codec`."""

from __future__ import annotations

import math
import struct
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any

from .bounds import (
    DOUBLE,
    DTYPE,
    FACTORIES,
    LONG,
    MAX_BYTES,
    MAX_COLLISIONS,
    MAX_COMPARED_BYTES,
    MAX_CONTAINERS,
    MAX_DEPTH,
    MAX_DIMENSIONS,
    MAX_EXPONENT,
    MAX_TERM_BYTES,
    SIZE,
    CodecError,
)

__all__ = ["Decoder"]


class Decoder:
    """Reads values from ``data``; ``at`` is the next byte."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.containers = 0
        self.compared = 0
        self.has_decimal = self.has_long_int = False

    def take(self, depth: int) -> Any:
        if depth > MAX_DEPTH + 2:
            raise CodecError(f"the value is nested more than {MAX_DEPTH} deep")
        reader = _READERS.get(self.raw(1))
        if reader is None:
            raise CodecError(f"unknown tag {self.data[self.at - 1 : self.at]!r}")
        return reader(self, depth)

    def raw(self, size: int) -> bytes:
        piece = self.data[self.at : self.at + size]
        if len(piece) != size:
            raise CodecError("the bytes end too early")
        self.at += size
        return piece

    def blob(self) -> bytes:
        return self.raw(SIZE.unpack(self.raw(4))[0])

    def int_of(self, most: int | None = None) -> int:
        if self.raw(1) != b"i":
            raise CodecError("expected an int")
        data = self.blob()
        if most is not None and len(data) > most:
            raise CodecError(f"expected an int of at most {most} bytes")
        return int.from_bytes(data, "big", signed=True)

    def items(self, depth: int) -> list[Any]:
        count = SIZE.unpack(self.raw(4))[0]
        self.containers += 1
        if self.containers > MAX_CONTAINERS:
            raise CodecError(f"the value has more than {MAX_CONTAINERS} containers")
        if count > len(self.data) - self.at:
            raise CodecError("the bytes end too early")
        return [self.take(depth + 1) for _ in range(count)]

    def long_int(self) -> int:
        data = self.blob()
        self.has_long_int |= len(data) > MAX_TERM_BYTES
        self.refuse_conversions()
        return int.from_bytes(data, "big", signed=True)

    def refuse_conversions(self) -> None:
        """Refuses what would be converted from an int to a decimal when the two are compared."""
        if self.has_decimal and self.has_long_int:
            raise CodecError(f"decimals beside an int of more than {MAX_TERM_BYTES} bytes")

    def pairs(self, depth: int) -> list[tuple[Any, Any]]:
        before = self.at, self.compared
        items = self.items(depth)
        if len(items) % 2:
            raise CodecError("expected keys and values in turn")
        self.refuse_collisions(items[::2], *before)
        return list(zip(items[::2], items[1::2], strict=True))

    def unique(self, depth: int) -> list[Any]:
        before = self.at, self.compared
        items = self.items(depth)
        self.refuse_collisions(items, *before)
        return items

    def refuse_collisions(self, keys: list[Any], began_at: int, compared: int) -> None:
        """Refuses keys of equal hash that are many, or dear to compare with each other."""
        shared = Counter(map(hash, keys))
        others = max(shared.values(), default=1) - 1
        if others > MAX_COLLISIONS:
            raise CodecError("too many keys share one hash")
        # Each key meets at most all others of its hash; what its own parts cost is paid each time.
        self.compared += others * (self.at - began_at + self.compared - compared)
        if self.compared > MAX_COMPARED_BYTES:
            raise CodecError("keys that share one hash take too long to compare")

    def numbers(self, count: int) -> tuple[int, ...]:
        return struct.unpack(f"!{count}q", self.raw(8 * count))


def _take_deque(decoder: Decoder, depth: int) -> deque[Any]:
    limit = LONG.unpack(decoder.raw(8))[0]
    if decoder.raw(1) != b"l":
        raise CodecError("expected the items of a deque")
    return deque(decoder.items(depth), None if limit < 0 else limit)


def _take_defaultdict(decoder: Decoder, depth: int) -> defaultdict[Any, Any]:
    factory = FACTORIES.get(decoder.blob().decode())
    if decoder.raw(1) != b"d":
        raise CodecError("expected the items of a defaultdict")
    return defaultdict(factory, decoder.pairs(depth))


def _take_counter(decoder: Decoder, depth: int) -> Counter[Any]:
    counter: Counter[Any] = Counter()
    for key, value in decoder.pairs(depth):
        dict.__setitem__(counter, key, value)
    return counter


def _take_range(decoder: Decoder, depth: int) -> range:
    start, stop, step = (decoder.int_of(MAX_TERM_BYTES) for _ in range(3))
    return range(start, stop, step)


def _take_decimal(decoder: Decoder, depth: int) -> Decimal:
    decoder.has_decimal = True
    decoder.refuse_conversions()
    value = Decimal(decoder.blob().decode("ascii"))
    if value.is_finite() and abs(value.adjusted()) > MAX_EXPONENT:
        raise CodecError(f"a decimal's exponent is beyond {MAX_EXPONENT}")
    return value


def _take_fraction(decoder: Decoder, depth: int) -> Fraction:
    numerator, denominator = (decoder.int_of(MAX_TERM_BYTES) for _ in range(2))
    return Fraction(numerator, denominator)


def _take_zone(decoder: Decoder, depth: int) -> timezone | None:
    offset = decoder.take(depth + 1)
    if offset is None:
        return None
    if type(offset) is not timedelta:
        raise CodecError("expected a time zone's offset")
    return timezone(offset)


def _take_delta(decoder: Decoder, depth: int) -> timedelta:
    days, seconds, microseconds = decoder.numbers(3)
    return timedelta(days=days, seconds=seconds, microseconds=microseconds)


def _take_time(decoder: Decoder, depth: int) -> time:
    hour, minute, second, microsecond, fold = decoder.numbers(5)
    return time(hour, minute, second, microsecond, tzinfo=_take_zone(decoder, depth), fold=fold)


def _take_datetime(decoder: Decoder, depth: int) -> datetime:
    year, month, day, hour, minute, second, microsecond, fold = decoder.numbers(8)
    zone = _take_zone(decoder, depth)
    return datetime(year, month, day, hour, minute, second, microsecond, tzinfo=zone, fold=fold)


def _take_dtype(decoder: Decoder) -> Any:
    import numpy

    name = decoder.blob().decode()
    if not DTYPE.fullmatch(name):
        raise CodecError("expected a plain numpy dtype")
    return numpy.dtype(name)


def _take_numpy_array(decoder: Decoder, depth: int) -> Any:
    import numpy

    dtype, shape = _take_dtype(decoder), decoder.take(depth + 1)
    if type(shape) is not tuple or len(shape) > MAX_DIMENSIONS:
        raise CodecError("expected the shape of an array")
    if not all(type(n) is int and 0 <= n < 2**31 for n in shape):
        raise CodecError("expected the shape of an array")
    if decoder.raw(1) != b"b":
        raise CodecError("expected the bytes of an array")
    data = decoder.blob()
    if math.prod(shape) * dtype.itemsize != len(data):
        raise CodecError("the array's bytes do not fit its shape")
    if not data:
        # numpy sets memory aside for an empty array by its other lengths, and makes empty text one character long.
        if math.prod(max(length, 1) for length in shape) * max(dtype.itemsize, 4) > MAX_BYTES:
            raise CodecError("an empty array's lengths are too large")
        return numpy.zeros(shape, dtype)
    return numpy.frombuffer(data, dtype).reshape(shape).copy()


def _take_numpy_scalar(decoder: Decoder, depth: int) -> Any:
    import numpy

    dtype = _take_dtype(decoder)
    if decoder.raw(1) != b"b":
        raise CodecError("expected the bytes of a scalar")
    data = decoder.blob()
    if len(data) != dtype.itemsize:
        raise CodecError("the scalar's bytes do not fit its dtype")
    return numpy.frombuffer(data, dtype)[0] if data else numpy.zeros((), dtype)[()]


_READERS: dict[bytes, Callable[[Decoder, int], Any]] = {
    b"N": lambda decoder, depth: None,
    b"0": lambda decoder, depth: False,
    b"1": lambda decoder, depth: True,
    b"i": lambda decoder, depth: decoder.long_int(),
    b"f": lambda decoder, depth: DOUBLE.unpack(decoder.raw(8))[0],
    b"c": lambda decoder, depth: complex(DOUBLE.unpack(decoder.raw(8))[0], DOUBLE.unpack(decoder.raw(8))[0]),
    b"s": lambda decoder, depth: decoder.blob().decode("utf-8", "surrogatepass"),
    b"b": lambda decoder, depth: decoder.blob(),
    b"B": lambda decoder, depth: bytearray(decoder.blob()),
    b"l": lambda decoder, depth: decoder.items(depth),
    b"u": lambda decoder, depth: tuple(decoder.items(depth)),
    b"e": lambda decoder, depth: set(decoder.unique(depth)),
    b"z": lambda decoder, depth: frozenset(decoder.unique(depth)),
    b"d": lambda decoder, depth: dict(decoder.pairs(depth)),
    b"O": lambda decoder, depth: OrderedDict(decoder.pairs(depth)),
    b"C": _take_counter,
    b"D": _take_defaultdict,
    b"q": _take_deque,
    b"r": _take_range,
    b"m": _take_decimal,
    b"R": _take_fraction,
    b"w": _take_delta,
    b"y": lambda decoder, depth: date(*decoder.numbers(3)),
    b"t": _take_time,
    b"T": _take_datetime,
    b"a": _take_numpy_array,
    b"n": _take_numpy_scalar,
}
