"""Reading calls from what an agent says.

Both styles that models write are read, whichever a task's instructions show:

* JSON: the whole answer (or a fenced block marked ``json`` that ends it) is ``{"name": ..., "arguments": {...}}``,
  a list of these, or a message ``{"tool_calls": [{"function": {...}}, ...]}`` as chat interfaces have it, with the
  arguments as an object or as a string of JSON;
* tags: ``<tool_call>{"name": ..., "arguments": {...}}</tool_call>``, as often as wanted, with or without text around.

An answer that sets out to call and cannot be read is a call too, one that fails and says why: it must not end the
agent's turn. Everything else is text. JSON that is no call (``[1, 2]``, ``{"total": 3}``) is text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bai.envs.tools.base import ToolCall
from bai.envs.tools.strict_json import NotJson, parse, parse_prefix
from bai.errors import ToolFault

__all__ = ["MOST_CALLS", "MOST_CHARACTERS", "Answer", "CallFormat", "read_answer", "write_calls"]

CallFormat = Literal["json", "tags"]
"""How calls are written; see above. Both are always read."""

MOST_CALLS = 64
"""Calls of one answer."""
MOST_CHARACTERS = 65_536
"""Characters of one call."""

_OPEN, _CLOSE = "<tool_call>", "</tool_call>"
_FENCE = re.compile(r"```(?:json|tool_call)[ \t]*\n")
_KEYS = frozenset({"name", "arguments", "parameters", "function", "id", "type", "index"})
_SIGNS = re.compile(r'"(?:tool_calls|function|arguments|parameters)"\s*:')
"""What tells broken JSON that was to be a call from text that begins with a bracket."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What an agent said."""

    calls: tuple[ToolCall | ToolFault, ...] = ()
    """In order; a fault stands for a call that could not be read. Empty: the answer is text."""
    text: str = ""
    """What was said beside the calls, or the whole answer where there are none."""


def read_answer(said: str) -> Answer:
    """Reads an answer; never raises."""
    if _OPEN in said:
        return _limited(_read_tags(said))
    bare = said.strip()
    body = _fenced(bare)
    if body[:1] not in ("{", "["):
        return Answer(text=said)
    if len(body) > MOST_CHARACTERS * MOST_CALLS or (len(body) > MOST_CHARACTERS and not _SIGNS.search(body)):
        return Answer(text=said)
    answer = _read_json(body)
    return Answer(text=said) if answer is None else _limited(answer)


def _fenced(bare: str) -> str:
    """Gives what the block holds that ends a text; the text itself where none does."""
    if not bare.endswith("```"):
        return bare
    start = 0
    for opening in _FENCE.finditer(bare, 0, len(bare) - 3):
        start = opening.end()
    return bare[start:-3].strip() if start else bare


def write_calls(calls: tuple[ToolCall, ...], style: CallFormat) -> str:
    """Writes calls as :func:`read_answer` reads them."""
    rows = [json.dumps(call.to_json(), ensure_ascii=False) for call in calls]
    if style == "tags":
        return "\n".join(f"{_OPEN}{row}{_CLOSE}" for row in rows)
    return rows[0] if len(rows) == 1 else f"[{', '.join(rows)}]"


def _limited(answer: Answer) -> Answer:
    if len(answer.calls) <= MOST_CALLS:
        return answer
    fault = ToolFault(f"an answer may hold {MOST_CALLS} calls; got more, none was made", "too_large")
    return Answer(calls=(fault,), text=answer.text)


def _read_tags(said: str) -> Answer:
    calls: list[ToolCall | ToolFault] = []
    around: list[str] = []
    at = 0
    while len(calls) <= MOST_CALLS and (found := said.find(_OPEN, at)) >= 0:
        around.append(said[at:found])
        call, at = _read_tag(said, found + len(_OPEN))
        calls.append(call)
    around.append(said[at:])
    return Answer(calls=tuple(calls), text="".join(around).strip())


def _read_tag(said: str, start: int) -> tuple[ToolCall | ToolFault, int]:
    """Gives the call that begins at ``start``, and where to go on."""
    body = re.compile(r"\s*").match(said, start)
    assert body is not None
    try:
        value, end = parse_prefix(said, body.end())
        closing = re.compile(r"\s*</tool_call>").match(said, end)
        if closing is None:
            raise NotJson(f"expected {_CLOSE} after the JSON value")
    except NotJson as error:
        end = said.find(_CLOSE, start)
        return _unreadable(str(error)), len(said) if end < 0 else end + len(_CLOSE)
    return _guarded(value, end - start), closing.end()


def _read_json(body: str) -> Answer | None:
    """Gives the calls of a text that begins like JSON; None where it is no attempt at one."""
    try:
        value = parse(body)
    except NotJson as error:
        return Answer(calls=(_unreadable(str(error)),)) if _SIGNS.search(body) else None
    said = ""
    if isinstance(value, dict) and "tool_calls" in value:
        said, value = value.get("content") or "", value["tool_calls"] or []
        if not isinstance(said, str) or not isinstance(value, list):
            return Answer(calls=(_unreadable('expected "tool_calls" to be a list and "content" text'),))
        if not value:
            return Answer(text=said)
    rows = value if isinstance(value, list) else [value]
    if not rows or not all(isinstance(row, dict) and _is_call(row) for row in rows):
        return None
    return Answer(calls=tuple(_guarded(row, len(body) // len(rows)) for row in rows), text=said)


def _is_call(row: Mapping[str, Any]) -> bool:
    return "function" in row or ("name" in row and ("arguments" in row or "parameters" in row or row.keys() <= _KEYS))


def _unreadable(why: str) -> ToolFault:
    wanted = '{"name": "TOOL", "arguments": {...}}'
    return ToolFault(f"the call could not be read: {why}; expected {wanted}", "unreadable")


def _guarded(row: Any, size: int) -> ToolCall | ToolFault:
    if size > MOST_CHARACTERS:
        return ToolFault(f"a call may have {MOST_CHARACTERS} characters; got {size}", "too_large")
    try:
        return _call(row)
    except NotJson as error:
        return _unreadable(str(error))


def _call(row: Any) -> ToolCall:
    if not isinstance(row, dict):
        raise NotJson(f"a call is an object; got {_kind(row)}")
    if isinstance(inner := row.get("function"), dict):
        row = inner
    for key in row.keys() - _KEYS:
        raise NotJson(f"a call has a name and arguments; got the key {key!r:.80}")
    name = row.get("name")
    if not isinstance(name, str) or not name:
        raise NotJson(f'"name" is the name of a tool; got {_kind(name)}')
    return ToolCall(name=name, arguments=_arguments(row))


def _arguments(row: Mapping[str, Any]) -> dict[str, Any]:
    given = [row[key] for key in ("arguments", "parameters") if row.get(key) is not None]
    if len(given) > 1:
        raise NotJson('a call has "arguments" or "parameters", not both')
    value = given[0] if given else {}
    if isinstance(value, str):
        try:
            value = parse(value) if value.strip() else {}
        except NotJson as error:
            raise NotJson(f'the string in "arguments" is no JSON: {error}') from None
    if not isinstance(value, dict):
        raise NotJson(f'"arguments" is an object; got {_kind(value)}')
    return value


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "nothing"}
    return names.get(type(value), "a number")
