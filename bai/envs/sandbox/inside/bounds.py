"""Bounds and tables that both directions of the codec share."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import Any

__all__ = [
    "DOUBLE",
    "DTYPE",
    "FACTORIES",
    "LONG",
    "MAX_BYTES",
    "MAX_COLLISIONS",
    "MAX_COMPARED_BYTES",
    "MAX_CONTAINERS",
    "MAX_DEPTH",
    "MAX_DIMENSIONS",
    "MAX_EXPONENT",
    "MAX_TERM_BYTES",
    "SIZE",
    "CodecError",
]

MAX_BYTES = 16 * 1024 * 1024
"""Default bound on an encoded value: 16 MiB."""
MAX_DEPTH = 200
"""Deepest nesting of containers."""
MAX_CONTAINERS = 200_000
"""Most containers in one value: an empty set takes 5 bytes on the wire and 216 in memory."""
MAX_COLLISIONS = 1024
"""Most keys of one set or dict that may repeat the hash of one of them."""
MAX_COMPARED_BYTES = 256 * 1024 * 1024
"""Most bytes that comparing the keys of equal hash in one value may take, those in keys of keys multiplied."""
MAX_DIMENSIONS = 64
"""Most lengths in the shape of an array: their product would take quadratic time."""
MAX_TERM_BYTES = 8192
"""Largest term of a fraction or a range, and largest int beside a decimal: they are divided or converted, in
quadratic time."""
MAX_EXPONENT = 100_000
"""Largest decimal exponent: an int made of a decimal has that many digits."""

SIZE = struct.Struct("!I")
DOUBLE = struct.Struct("!d")
LONG = struct.Struct("!q")
DTYPE = re.compile(r"[<>|=]?([biufcSU]\d{1,6}|[mM]8(\[\d{0,9}[a-zA-Zμ]{1,8}\])?)")
FACTORIES: dict[str, Callable[[], Any]] = {
    kind.__name__: kind for kind in (int, float, complex, bool, str, bytes, list, tuple, dict, set, frozenset)
}


class CodecError(ValueError):
    """A value is not plain data, or bytes are not an encoded value."""
