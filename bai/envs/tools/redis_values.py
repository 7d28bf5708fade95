"""What keys of Redis hold, as JSON: put there by a setup, and read back piece by piece for an end state."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

from bai.envs.sandbox.base import MIB
from bai.envs.tools.redis_commands import refusal
from bai.envs.tools.redis_databases import import_redis, keys_of
from bai.errors import ConfigError, InfraError

__all__ = ["forms_of", "put", "text_of"]

_SLICE = 4 * MIB
"""Bytes of a text that are asked for at once: a server may end a connection whose answers are large."""
_ELEMENTS = 64
"""Elements of a list, hash, set or sorted set that are asked for at once."""
_DIGITS = r"\x"
_GONE = -2
"""What a server says is left to a key that is not there."""


def text_of(value: Any) -> str:
    """Gives what a server said as a text: bytes that are none as hexadecimal digits after a backslash and an x.

    A text that begins with these two is told so as well: no two values have one text.
    """
    if not isinstance(value, bytes):
        return str(value)
    with contextlib.suppress(UnicodeDecodeError):
        text = value.decode()
        if not text.startswith(_DIGITS):
            return text
    return _DIGITS + value.hex()


def put(admin: Any, key: str, value: Any, most: int) -> None:
    """Makes a key of a setup.

    Raises:
        ConfigError: The value is none that a key can hold, or holds a text of more than ``most`` bytes.
    """
    words = _making(key, value)
    try:
        if (size := max(len(word.encode()) for word in words if isinstance(word, str))) > most:
            raise ConfigError(f"key {key!r:.80}: a text of {size} bytes; the server takes {most} (proto-max-bulk-len)")
        admin.execute_command(*words)
    except (import_redis().DataError, import_redis().ResponseError, UnicodeEncodeError) as error:
        if isinstance(refusal(error, words[0]), InfraError):
            raise
        raise ConfigError(f"key {key!r:.80}: {error}") from error


def _making(key: str, value: Any) -> list[Any]:
    """The command that makes a key."""
    match value:
        case str():
            return ["SET", key, value]
        case list() if value:
            return ["RPUSH", key, *value]
        case {"hash": dict(fields), **rest} if fields and not rest:
            return ["HSET", key, *itertools.chain.from_iterable(fields.items())]
        case {"set": list(members), **rest} if members and not rest:
            return ["SADD", key, *members]
        case {"zset": dict(scores), **rest} if scores and not rest:
            return ["ZADD", key, *(word for member, score in scores.items() for word in (score, member))]
        case _:
            raise ConfigError(f"key {key!r:.80}: expected a text, a list, or a hash, set or zset; got {value!r:.200}")


def forms_of(admin: Any) -> dict[str, Any]:
    """Gives all keys of a client's database in the forms of a setup, less those that go by themselves meanwhile."""
    found = {}
    for key in keys_of(admin):
        read: Callable[[Any, bytes], Any] = _FORMS.get(text_of(admin.type(key)), _other)
        form = read(admin, key)
        left_ms = admin.pttl(key)
        if left_ms != _GONE:
            found[text_of(key)] = form if left_ms < 0 else {"expires": form}
    return found


def _windows(length: int, size: int) -> Iterator[tuple[int, int]]:
    """First and last place of each piece."""
    return ((start, start + size - 1) for start in range(0, length, size))


def _string(admin: Any, key: bytes) -> str:
    windows = _windows(admin.strlen(key), _SLICE)
    return text_of(b"".join(admin.getrange(key, start, end) for start, end in windows))


def _list(admin: Any, key: bytes) -> list[str]:
    windows = _windows(admin.llen(key), _ELEMENTS)
    return [text_of(item) for start, end in windows for item in admin.lrange(key, start, end)]


def _hash(admin: Any, key: bytes) -> dict[str, Any]:
    return {"hash": {text_of(name): text_of(value) for name, value in admin.hscan_iter(key, count=_ELEMENTS)}}


def _set(admin: Any, key: bytes) -> dict[str, Any]:
    return {"set": sorted(text_of(member) for member in set(admin.sscan_iter(key, count=_ELEMENTS)))}


def _zset(admin: Any, key: bytes) -> dict[str, Any]:
    windows = _windows(admin.zcard(key), _ELEMENTS)
    pairs = (pair for start, end in windows for pair in admin.zrange(key, start, end, withscores=True))
    scores = {text_of(member): score for member, score in pairs}
    return {"zset": {member: score if math.isfinite(score) else str(score) for member, score in scores.items()}}


def _other(admin: Any, key: bytes) -> dict[str, Any]:
    return {text_of(admin.type(key)): (admin.dump(key) or b"").hex()}


_FORMS: dict[str, Callable[[Any, bytes], Any]] = {
    "string": _string,
    "list": _list,
    "hash": _hash,
    "set": _set,
    "zset": _zset,
}
"""Type of a key to what reads it."""
