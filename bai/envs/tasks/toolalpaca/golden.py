"""Golden answers: JSON calls in which some values are left open, as ``${animeId from searchAnime}``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bai.types import JSON

__all__ = ["ASK", "OPEN", "GoldCall", "Placeholder", "coerced", "parse_call"]

ASK = "getDetails"
"""The function that stands for asking the user."""
_OPTIONAL = "[Optional]"
_OPEN = re.compile(r'\$\{([^},"]*)\}?"?')
_QUOTED = re.compile(r"\$\{([^}]*)\}")
_FROM = re.compile(r"(\w+)(?: \w+)? from (\w+)")


@dataclass(frozen=True)
class Placeholder:
    """A value that a golden answer leaves open."""

    name: str
    """What it is: ``animeId``."""
    origin: str
    """The function that tells it (:data:`ASK` for the user), or nothing where any value will do."""

    @property
    def is_identifier(self) -> bool:
        """Whether nothing but the value that was told can be right."""
        return self.name.lower().endswith(("id", "token"))


OPEN = Placeholder("", "")
"""Any value at all."""


@dataclass(frozen=True, kw_only=True)
class GoldCall:
    """One call of a golden answer."""

    name: str
    """The function."""
    arguments: Mapping[str, Any]
    """By name; a :class:`Placeholder` where the value is open. Empty texts, which stand for nothing, are left out."""
    optional: bool = False
    """Whether the task is done without it too."""


def parse_call(answer: Mapping[str, str]) -> GoldCall:
    """Reads a call.

    Its arguments are JSON, but for open values, which mostly stand there without quotes, or with one quote, or without
    their closing brace.

    Raises:
        ValueError: They are not even that.
    """
    text = answer["Action_Input"]
    try:
        arguments = json.loads(text)
    except ValueError:
        arguments = json.loads(_OPEN.sub(r'"${\1}"', text))
    name = answer["Action"]
    return GoldCall(
        name=name.removeprefix(_OPTIONAL),
        arguments={key: _read(value) for key, value in arguments.items() if value != ""},
        optional=name.startswith(_OPTIONAL),
    )


def _read(value: Any) -> Any:
    found = _QUOTED.search(json.dumps(value))
    if found is None:
        return value
    named = _FROM.fullmatch(found[1])
    # An open value within a list or an object leaves all of it open.
    return Placeholder(named[1], named[2]) if named and isinstance(value, str) else Placeholder(found[1], "")


def coerced(arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> JSON:
    """Gives arguments with numbers for the texts that spell them, where the schema wants numbers."""
    return {name: _number(value, schema["properties"].get(name, {})) for name, value in arguments.items()}


def _number(value: Any, schema: Mapping[str, Any]) -> Any:
    if isinstance(value, str) and schema.get("type") in ("integer", "number"):
        return int(value) if value.isdecimal() else value
    return value
