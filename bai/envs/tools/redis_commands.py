"""An agent's Redis command: split into words, kept to a size and to little work, and told whose fault a refusal is."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from typing import Any

from bai.envs.sandbox.base import MIB
from bai.envs.tools.redis_databases import import_redis
from bai.errors import InfraError, ToolFault

__all__ = ["expect_little_work", "refusal", "split"]

_ANYBODYS = frozenset({"auth", "hello", "quit", "reset"})
"""Commands that no rule of the server's can keep from a user; they end or change who that is."""
_COMBINING = frozenset(
    """
    bitop hmget mget pfcount pfmerge sdiff sdiffstore sinter sintercard sinterstore sunion sunionstore zdiff zdiffstore
    zinter zintercard zinterstore zunion zunionstore
    """.split()  # noqa: SIM905 - so many words read better so
)
"""Commands whose work, or answer, grows with what they read times how often they name it."""
_MOST_WORK = 32 * MIB
"""Bytes that one of them may read where it names keys again: a second's work, which everybody else waits for."""
_MOST_PATTERN = 64
"""Bytes of a pattern: each may be held against each byte of each name."""
_MACHINERYS = frozenset({"BUSY", "MISCONF", "NOREPLICAS", "UNKILLABLE"})
"""How replies begin by which a server says that it cannot work now; what else says so, the library has classes for."""
_WORD = re.compile(r"""\s*((?:[^\s"']|"(?:[^"\\]|\\.)*"|'[^']*')+)(?=\s|$)""", re.DOTALL)
_PIECE = re.compile(r"""([^"']+)|"((?:[^"\\]|\\.)*)"|'([^']*)'""", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_BY_CLOCK = re.compile(r"(?:(?:(?:maxlen|minid)(?: [=~])?|limit) \S+ |[^\d\s]\S* )*\*(?: |$)", re.IGNORECASE)
"""What XADD takes after its key where the server is to give the whole id."""
_OFFSET = re.compile(r"(#?)([0-9]{1,19})")
_BITS = re.compile(r"[iu]([0-9]{1,2})", re.IGNORECASE)


def split(command: str) -> list[str]:
    """Splits a command into words; quotes hold words together, and a backslash takes what follows in double ones.

    Raises:
        ToolFault: It cannot be read, is never allowed, or is too large.
    """
    try:
        command.encode()
    except UnicodeEncodeError as error:
        raise ToolFault(f"the command is no text: {error}", "failed") from None
    if len(command) > MIB:
        raise ToolFault(f"expected a command of at most {MIB} characters; got {len(command)}", "too_large")
    parts = _words(command.strip())
    if not parts:
        raise ToolFault("expected a command, such as SET color red; got nothing", "failed")
    if re.search(r"\s", parts[0]):  # the client's library would take it for several words
        raise ToolFault(f"there is no command {parts[0]!r:.80}: put quotes around arguments alone", "failed")
    if parts[0].lower() in _ANYBODYS:
        raise ToolFault(f"not allowed here: {parts[0].upper()}", "refused")
    if parts[0].lower() == "xadd" and _BY_CLOCK.match(" ".join(parts[2:12])):
        raise ToolFault("not allowed here: an id by the clock; give one, such as 1-1", "refused")
    _expect_small(parts)
    return parts


def _expect_small(parts: list[str]) -> None:
    if _reach(parts) > MIB:
        raise ToolFault(f"expected an offset within the first {MIB} bytes", "too_large")
    options = {"keys": parts[1:], "scan": parts[1:], "hscan": parts[2:], "sscan": parts[2:], "zscan": parts[2:]}
    if any(len(word.encode()) > _MOST_PATTERN for word in options.get(parts[0].lower(), ())):
        raise ToolFault(f"expected a pattern of at most {_MOST_PATTERN} bytes", "too_large")


def _words(command: str) -> list[str]:
    parts, at = [], 0
    while at < len(command):
        word = _WORD.match(command, at)
        if word is None:
            raise ToolFault("the command cannot be read: a quote is not closed", "failed")
        pieces = _PIECE.findall(word[1])
        parts.append("".join(bare + _ESCAPED.sub(r"\1", double) + single for bare, double, single in pieces))
        at = word.end()
    return parts


def _reach(parts: list[str]) -> int:
    """Bytes at which a command writes into a text, which it makes that long: its arguments need not be."""
    match [parts[0].lower(), *parts[2:]]:
        case ["setrange", offset, *_]:
            return _number(offset)
        case ["setbit", offset, *_]:
            return _number(offset) // 8
        case ["bitfield", *rest]:
            sized = ((_BITS.fullmatch(kind), offset) for kind, offset in pairwise(rest))
            return max((_number(offset, int(bits[1])) for bits, offset in sized if bits), default=0) // 8
    return 0


def _number(offset: str, unit: int = 1) -> int:
    """What an offset counts; in units where it begins with ``#``. Zero for what a server takes for none."""
    found = _OFFSET.fullmatch(offset)
    return 0 if found is None else int(found[2]) * (unit if found[1] else 1)


def expect_little_work(admin: Any, parts: list[str]) -> None:
    """Raises ToolFault where a command would keep the server from everybody else for long, or its answer be giant.

    Args:
        admin: A client of the command's database.
        parts: The command's words.
    """
    name = parts[0].lower()
    if name not in _COMBINING or len(parts) < 2:
        return
    named = Counter(parts[2:] if name == "hmget" else parts[1:])  # options with them, which are no keys
    with admin.pipeline(transaction=False) as asked:
        for key in parts[1:2] if name == "hmget" else named:
            asked.memory_usage(key, samples=0)  # all that it holds: one element may be as large as the rest
        sizes = [size or 0 for size in asked.execute()]
    match name:
        case "hmget":
            work = sizes[0] * max(named.values(), default=0)
        case "bitop":  # a short text is as long as the longest
            work = max(sizes) * named.total()
        case _:
            work = sum(size * times for size, times in zip(sizes, named.values(), strict=True))
    most = max(_MOST_WORK, sum(sizes))  # each key once is no more than the database holds
    if work > most:
        reason = f"that would read {work // MIB} MiB, with each key as often as it is named"
        raise ToolFault(f"{reason}; {most // MIB} is the most", "too_large")


def refusal(error: Exception, name: str) -> ToolFault | InfraError:
    """Gives what a server's reply to a command means: a fault of the call, or of the machinery."""
    text = str(error)
    if isinstance(error, _unfit()) or text.partition(" ")[0] in _MACHINERYS:
        return InfraError(f"the Redis server cannot work: {text:.300}")
    if "no permissions" in text or "NOPERM" in text:
        return ToolFault(f"not allowed here: {name.upper():.50}", "refused")
    is_size = any(sign in text for sign in ("maximum allowed size", "offset is not an integer"))
    return ToolFault(text[:300], "too_large" if is_size else "failed")


def _unfit() -> tuple[type[Exception], ...]:
    """Replies of a server that is full, no master any more, or one of a cluster."""
    redis = import_redis().exceptions
    return (
        redis.OutOfMemoryError,  # not by this database, whose size is bounded
        redis.ReadOnlyError,
        redis.ClusterDownError,
        redis.AskError,
        redis.TryAgainError,
    )
