"""A closed codec for plain Python values, safe to decode from a hostile sender.

Each value is one tag byte and a payload; integers in the framing are big-endian.
Nothing is looked up by name except a fixed table, so decoding runs no code of the sender.

=====================================  ==================================================
types                                  notes
=====================================  ==================================================
None, bool, int, float, complex        ints of any size; NaN payloads and -0.0 are kept
str, bytes, bytearray                  lone surrogates are kept
list, tuple, set, frozenset, deque     a deque keeps its ``maxlen``
dict, OrderedDict, Counter             insertion order is kept
defaultdict                            factory kept if a plain builtin, else dropped
range, Decimal, Fraction
date, time, datetime, timedelta        naive, or with a fixed-offset ``timezone``
numpy arrays and scalars               where numpy is loaded; no object or void dtypes
=====================================  ==================================================

Encoding takes the exact types above. An instance of a subclass (a named tuple, an
``IntEnum``, an ``OrderedDict`` with an ``__eq__`` of its own) goes as the plain data of
its base, read with the base's own methods, so that no overridden method is called.
Anything else, a cycle, or too much depth or size is a :class:`CodecError`. Sharing
between parts of a value is not kept.

Decoding any bytes at all gives a value or a :class:`CodecError`. What would be cheap to
send and dear to receive is refused: keys crafted to share one hash, fractions with huge
terms, decimals with huge exponents.
"""

from __future__ import annotations

import math
import re
import struct
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from typing import Any

__all__ = ["MAX_BYTES", "MAX_DEPTH", "CodecError", "decode", "encode"]

MAX_BYTES = 16 * 1024 * 1024
"""Default bound on an encoded value: 16 MiB."""
MAX_DEPTH = 200
"""Deepest nesting of containers."""
MAX_COLLISIONS = 1024
"""Most keys of one set or dict that may repeat another's hash."""
MAX_TERM_BYTES = 8192
"""Largest numerator or denominator: reducing a fraction takes quadratic time."""
MAX_EXPONENT = 100_000
"""Largest decimal exponent: an int made of a decimal has that many digits."""

_SIZE = struct.Struct("!I")
_DOUBLE = struct.Struct("!d")
_LONG = struct.Struct("!q")
_DTYPE = re.compile(r"[<>|=]?([biufcSU]\d{1,9}|[mM]8(\[\d{0,9}[a-zA-Zμ]{1,8}\])?)")
_FACTORIES: dict[str, Callable[[], Any]] = {
    kind.__name__: kind for kind in (int, float, complex, bool, str, bytes, list, tuple, dict, set, frozenset)
}
_FACTORY_NAMES = {kind: name for name, kind in _FACTORIES.items()}


class CodecError(ValueError):
    """A value is not plain data, or bytes are not an encoded value."""


def encode(value: Any, *, max_bytes: int = MAX_BYTES) -> bytes:
    """Encodes plain data.

    Args:
        value: Of the types in the module's table, nested at most :data:`MAX_DEPTH` deep.
        max_bytes: Bound on the result.

    Raises:
        CodecError: The value is something else, has a cycle, or is too deep or too large.
    """
    encoder = _Encoder(max_bytes)
    try:
        encoder.put(value)
    except (RecursionError, RuntimeError) as error:
        raise CodecError(f"the value cannot be walked: {type(error).__name__}") from None
    return bytes(encoder.out)


def decode(data: bytes | bytearray | memoryview) -> Any:
    """Decodes what :func:`encode` gave; runs none of the sender's code.

    Raises:
        CodecError: The bytes are not one encoded value.
    """
    decoder = _Decoder(bytes(data))
    try:
        value = decoder.take(0)
    except CodecError:
        raise
    except (ValueError, TypeError, ArithmeticError, LookupError, RecursionError, MemoryError, struct.error) as error:
        raise CodecError(f"malformed value: {type(error).__name__}") from None
    if decoder.at != len(decoder.data):
        raise CodecError(f"{len(decoder.data) - decoder.at} bytes are left over after the value")
    return value


class _Encoder:
    """Writes values; ``out`` holds the result."""

    def __init__(self, max_bytes: int) -> None:
        self.out = bytearray()
        self.max_bytes = max_bytes
        self.path: list[int] = []

    def put(self, value: Any) -> None:
        kind = type(value)
        writer = _WRITERS.get(kind) or _inherited_writer(kind)
        if writer is None:
            raise CodecError(f"not plain data: {_name_of(kind)}")
        writer(self, value)
        if len(self.out) > self.max_bytes:
            raise CodecError(f"the value takes more than {self.max_bytes} bytes")

    def tagged(self, tag: bytes, payload: bytes) -> None:
        # Checked before the copy: one huge string must not be written first and refused after.
        if len(payload) > self.max_bytes:
            raise CodecError(f"the value takes more than {self.max_bytes} bytes")
        self.out += tag + _SIZE.pack(len(payload)) + payload

    def items(self, tag: bytes, owner: Any, count: int, items: Iterable[Any]) -> None:
        if id(owner) in self.path:
            raise CodecError("the value contains itself")
        if len(self.path) >= MAX_DEPTH:
            raise CodecError(f"the value is nested more than {MAX_DEPTH} deep")
        self.path.append(id(owner))
        self.out += tag + _SIZE.pack(count)
        written = 0
        for item in items:
            self.put(item)
            written += 1
        if written != count:
            raise CodecError("the value changed while it was read")
        self.path.pop()


def _name_of(kind: type) -> str:
    name = type.__dict__["__name__"].__get__(kind)
    return name if type(name) is str else "object"


def _inherited_writer(kind: type) -> Callable[[_Encoder, Any], None] | None:
    # type.__mro__ read through the slot: a metaclass cannot answer in its place.
    bases = type.__dict__["__mro__"].__get__(kind)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        if getattr(numpy, "generic", None) in bases:
            return _put_numpy_scalar
        if getattr(numpy, "ndarray", None) in bases:
            return _put_numpy_array
    return next((_WRITERS[base] for base in bases if base in _WRITERS), None)


def _int_bytes(value: int) -> bytes:
    size = int.bit_length(value) // 8 + 1
    return int.to_bytes(value, size, "big", signed=True)


def _put_int(encoder: _Encoder, value: int) -> None:
    encoder.tagged(b"i", _int_bytes(value))


def _put_float(encoder: _Encoder, value: float) -> None:
    encoder.out += b"f" + _DOUBLE.pack(value)


def _put_complex(encoder: _Encoder, value: complex) -> None:
    parts = complex.__dict__["real"].__get__(value), complex.__dict__["imag"].__get__(value)
    encoder.out += b"c" + _DOUBLE.pack(parts[0]) + _DOUBLE.pack(parts[1])


def _put_str(encoder: _Encoder, value: str) -> None:
    encoder.tagged(b"s", str.encode(value, "utf-8", "surrogatepass"))


def _pairs(items: Iterable[tuple[Any, Any]]) -> Iterable[Any]:
    for key, value in items:
        yield key
        yield value


def _put_pairs(tag: bytes) -> Callable[[_Encoder, Any], None]:
    def put(encoder: _Encoder, value: Any) -> None:
        encoder.items(tag, value, 2 * dict.__len__(value), _pairs(dict.items(value)))

    return put


def _put_ordered(encoder: _Encoder, value: OrderedDict[Any, Any]) -> None:
    encoder.items(
        b"O",
        value,
        2 * dict.__len__(value),
        _pairs((k, dict.__getitem__(value, k)) for k in OrderedDict.__iter__(value)),
    )


def _put_defaultdict(encoder: _Encoder, value: defaultdict[Any, Any]) -> None:
    factory = defaultdict.__dict__["default_factory"].__get__(value)
    # Compared by identity: a hostile factory's own __hash__ and __eq__ are not asked.
    name = next((name for known, name in _FACTORY_NAMES.items() if known is factory), "")
    encoder.tagged(b"D", name.encode())
    _put_pairs(b"d")(encoder, value)


def _put_deque(encoder: _Encoder, value: deque[Any]) -> None:
    limit = deque.__dict__["maxlen"].__get__(value)
    encoder.out += b"q" + _LONG.pack(-1 if limit is None else limit)
    encoder.items(b"l", value, deque.__len__(value), deque.__iter__(value))


def _put_range(encoder: _Encoder, value: range) -> None:
    encoder.out += b"r"
    for part in (value.start, value.stop, value.step):
        _put_int(encoder, part)


def _put_decimal(encoder: _Encoder, value: Decimal) -> None:
    encoder.tagged(b"m", Decimal.__str__(value).encode())


def _put_fraction(encoder: _Encoder, value: Fraction) -> None:
    encoder.out += b"R"
    for slot in ("_numerator", "_denominator"):
        part = Fraction.__dict__[slot].__get__(value)
        if type(part) is not int:
            raise CodecError("not plain data: a fraction of something else than ints")
        _put_int(encoder, part)


def _attributes(value: Any, base: type, names: tuple[str, ...]) -> list[int]:
    return [base.__dict__[name].__get__(value) for name in names]


_DATE = ("year", "month", "day")
_TIME = ("hour", "minute", "second", "microsecond", "fold")
_DELTA = ("days", "seconds", "microseconds")


def _put_zone(encoder: _Encoder, zone: tzinfo | None) -> None:
    if zone is None:
        encoder.out += b"N"
    elif type(zone) is timezone:
        _put_delta(encoder, zone.utcoffset(None))
    else:
        raise CodecError("not plain data: a time zone that is no fixed offset")


def _put_numbers(encoder: _Encoder, tag: bytes, numbers: list[int]) -> None:
    encoder.out += tag + struct.pack(f"!{len(numbers)}q", *numbers)


def _put_delta(encoder: _Encoder, value: timedelta) -> None:
    _put_numbers(encoder, b"w", _attributes(value, timedelta, _DELTA))


def _put_date(encoder: _Encoder, value: date) -> None:
    _put_numbers(encoder, b"y", _attributes(value, date, _DATE))


def _put_time(encoder: _Encoder, value: time) -> None:
    _put_numbers(encoder, b"t", _attributes(value, time, _TIME))
    _put_zone(encoder, time.__dict__["tzinfo"].__get__(value))


def _put_datetime(encoder: _Encoder, value: datetime) -> None:
    _put_numbers(encoder, b"T", _attributes(value, date, _DATE) + _attributes(value, datetime, _TIME))
    _put_zone(encoder, datetime.__dict__["tzinfo"].__get__(value))


def _put_numpy_array(encoder: _Encoder, value: Any) -> None:
    array = sys.modules["numpy"].ndarray
    dtype = array.dtype.__get__(value)
    if dtype.hasobject or not _DTYPE.fullmatch(dtype.str):
        raise CodecError(f"not plain data: a numpy array of dtype {dtype.str}")
    if array.nbytes.__get__(value) > encoder.max_bytes:
        raise CodecError(f"the value takes more than {encoder.max_bytes} bytes")
    encoder.tagged(b"a", dtype.str.encode())
    shape = array.shape.__get__(value)
    encoder.items(b"u", value, len(shape), [int(length) for length in shape])
    encoder.tagged(b"b", array.tobytes(value))


def _put_numpy_scalar(encoder: _Encoder, value: Any) -> None:
    generic = sys.modules["numpy"].generic
    dtype = generic.dtype.__get__(value)
    if dtype.hasobject or not _DTYPE.fullmatch(dtype.str):
        raise CodecError(f"not plain data: a numpy scalar of dtype {dtype.str}")
    encoder.tagged(b"n", dtype.str.encode())
    encoder.tagged(b"b", generic.tobytes(value))


_WRITERS: dict[type, Callable[[_Encoder, Any], None]] = {
    type(None): lambda encoder, value: encoder.out.extend(b"N"),
    bool: lambda encoder, value: encoder.out.extend(b"1" if value is True else b"0"),
    int: _put_int,
    float: _put_float,
    complex: _put_complex,
    str: _put_str,
    bytes: lambda encoder, value: encoder.tagged(b"b", bytes.__getitem__(value, slice(None))),
    bytearray: lambda encoder, value: encoder.tagged(b"B", bytes(bytearray.__getitem__(value, slice(None)))),
    list: lambda encoder, value: encoder.items(b"l", value, list.__len__(value), list.__iter__(value)),
    tuple: lambda encoder, value: encoder.items(b"u", value, tuple.__len__(value), tuple.__iter__(value)),
    set: lambda encoder, value: encoder.items(b"e", value, set.__len__(value), set.__iter__(value)),
    frozenset: lambda encoder, value: encoder.items(b"z", value, frozenset.__len__(value), frozenset.__iter__(value)),
    dict: _put_pairs(b"d"),
    OrderedDict: _put_ordered,
    Counter: _put_pairs(b"C"),
    defaultdict: _put_defaultdict,
    deque: _put_deque,
    range: _put_range,
    Decimal: _put_decimal,
    Fraction: _put_fraction,
    timedelta: _put_delta,
    datetime: _put_datetime,
    date: _put_date,
    time: _put_time,
}


class _Decoder:
    """Reads values from ``data``; ``at`` is the next byte."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

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
        return self.raw(_SIZE.unpack(self.raw(4))[0])

    def int_of(self, most: int | None = None) -> int:
        if self.raw(1) != b"i":
            raise CodecError("expected an int")
        data = self.blob()
        if most is not None and len(data) > most:
            raise CodecError(f"expected an int of at most {most} bytes")
        return int.from_bytes(data, "big", signed=True)

    def items(self, depth: int) -> list[Any]:
        count = _SIZE.unpack(self.raw(4))[0]
        if count > len(self.data) - self.at:
            raise CodecError("the bytes end too early")
        return [self.take(depth + 1) for _ in range(count)]

    def pairs(self, depth: int) -> list[tuple[Any, Any]]:
        items = self.items(depth)
        if len(items) % 2:
            raise CodecError("expected keys and values in turn")
        _refuse_collisions(items[::2])
        return list(zip(items[::2], items[1::2], strict=True))

    def unique(self, depth: int) -> list[Any]:
        items = self.items(depth)
        _refuse_collisions(items)
        return items

    def numbers(self, count: int) -> tuple[int, ...]:
        return struct.unpack(f"!{count}q", self.raw(8 * count))


def _refuse_collisions(keys: list[Any]) -> None:
    if len(keys) - len({hash(key) for key in keys}) > MAX_COLLISIONS:
        raise CodecError("too many keys share one hash")


def _take_deque(decoder: _Decoder, depth: int) -> deque[Any]:
    limit = _LONG.unpack(decoder.raw(8))[0]
    if decoder.raw(1) != b"l":
        raise CodecError("expected the items of a deque")
    return deque(decoder.items(depth), None if limit < 0 else limit)


def _take_defaultdict(decoder: _Decoder, depth: int) -> defaultdict[Any, Any]:
    factory = _FACTORIES.get(decoder.blob().decode())
    if decoder.raw(1) != b"d":
        raise CodecError("expected the items of a defaultdict")
    return defaultdict(factory, decoder.pairs(depth))


def _take_counter(decoder: _Decoder, depth: int) -> Counter[Any]:
    counter: Counter[Any] = Counter()
    for key, value in decoder.pairs(depth):
        dict.__setitem__(counter, key, value)
    return counter


def _take_range(decoder: _Decoder, depth: int) -> range:
    start, stop, step = (decoder.int_of() for _ in range(3))
    return range(start, stop, step)


def _take_decimal(decoder: _Decoder, depth: int) -> Decimal:
    value = Decimal(decoder.blob().decode("ascii"))
    if value.is_finite() and abs(value.adjusted()) > MAX_EXPONENT:
        raise CodecError(f"a decimal's exponent is beyond {MAX_EXPONENT}")
    return value


def _take_fraction(decoder: _Decoder, depth: int) -> Fraction:
    numerator, denominator = (decoder.int_of(MAX_TERM_BYTES) for _ in range(2))
    return Fraction(numerator, denominator)


def _take_zone(decoder: _Decoder, depth: int) -> timezone | None:
    offset = decoder.take(depth + 1)
    if offset is None:
        return None
    if type(offset) is not timedelta:
        raise CodecError("expected a time zone's offset")
    return timezone(offset)


def _take_delta(decoder: _Decoder, depth: int) -> timedelta:
    days, seconds, microseconds = decoder.numbers(3)
    return timedelta(days=days, seconds=seconds, microseconds=microseconds)


def _take_time(decoder: _Decoder, depth: int) -> time:
    hour, minute, second, microsecond, fold = decoder.numbers(5)
    return time(hour, minute, second, microsecond, tzinfo=_take_zone(decoder, depth), fold=fold)


def _take_datetime(decoder: _Decoder, depth: int) -> datetime:
    year, month, day, hour, minute, second, microsecond, fold = decoder.numbers(8)
    zone = _take_zone(decoder, depth)
    return datetime(year, month, day, hour, minute, second, microsecond, tzinfo=zone, fold=fold)


def _take_dtype(decoder: _Decoder) -> Any:
    import numpy

    name = decoder.blob().decode()
    if not _DTYPE.fullmatch(name):
        raise CodecError("expected a plain numpy dtype")
    return numpy.dtype(name)


def _take_numpy_array(decoder: _Decoder, depth: int) -> Any:
    import numpy

    dtype, shape = _take_dtype(decoder), decoder.take(depth + 1)
    if type(shape) is not tuple or not all(type(n) is int and 0 <= n < 2**31 for n in shape):
        raise CodecError("expected the shape of an array")
    if decoder.raw(1) != b"b":
        raise CodecError("expected the bytes of an array")
    data = decoder.blob()
    if math.prod(shape) * dtype.itemsize != len(data):
        raise CodecError("the array's bytes do not fit its shape")
    if not data:
        return numpy.zeros(shape, dtype)
    return numpy.frombuffer(data, dtype).reshape(shape).copy()


def _take_numpy_scalar(decoder: _Decoder, depth: int) -> Any:
    import numpy

    dtype = _take_dtype(decoder)
    if decoder.raw(1) != b"b":
        raise CodecError("expected the bytes of a scalar")
    data = decoder.blob()
    if len(data) != dtype.itemsize:
        raise CodecError("the scalar's bytes do not fit its dtype")
    return numpy.frombuffer(data, dtype)[0] if data else numpy.zeros((), dtype)[()]


_READERS: dict[bytes, Callable[[_Decoder, int], Any]] = {
    b"N": lambda decoder, depth: None,
    b"0": lambda decoder, depth: False,
    b"1": lambda decoder, depth: True,
    b"i": lambda decoder, depth: int.from_bytes(decoder.blob(), "big", signed=True),
    b"f": lambda decoder, depth: _DOUBLE.unpack(decoder.raw(8))[0],
    b"c": lambda decoder, depth: complex(_DOUBLE.unpack(decoder.raw(8))[0], _DOUBLE.unpack(decoder.raw(8))[0]),
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
