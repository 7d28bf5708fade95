"""What a golden answer leaves open, filled in by what the simulated API tells and what the user says when asked."""

from __future__ import annotations

import json
import re
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bai.envs.tasks.toolalpaca.documentation import Function, types_of
from bai.envs.tasks.toolalpaca.golden import ASK, GoldCall, Placeholder
from bai.envs.tools.base import ToolCall
from bai.envs.tools.loose import says
from bai.types import JSON

__all__ = ["Script", "write_script"]

_TOLD = {"ip": "203.0.113.7", "username": "river_otter", "style": "watercolour", "category": "nature", "format": "png"}
"""What a user might say; anything else gets a name with a number."""
_DEFAULT = re.compile(r"default(?:s to| is|:)?\s+'?([\w.-]+?)'?[.)]", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Script:
    """A task without anything open."""

    calls: tuple[ToolCall, ...]
    """The gold calls with values for all arguments."""
    wanted: tuple[JSON, ...]
    """The same as :class:`~bai.envs.grading.tools.wanted_calls.WantedCallsJudge` expects them."""
    answers: Mapping[str, JSON]
    """Function -> what the API tells when it is called."""
    question: str
    """What the agent has to ask the user; nothing where it has no need to."""
    reply: str
    """What the user says to that."""


def write_script(task_id: str, request: str, gold: Sequence[GoldCall], functions: Mapping[str, Function]) -> Script:
    """Fills in a golden answer.

    An argument is settled where the request names its value, where the user tells it when asked, or where it is an
    identifier that the API told; any other is free.

    Args:
        task_id: What values are drawn from, by a hash.
        request: What the user says first.
        gold: The calls.
        functions: What they may call.
    """
    writer = _Writer(task_id, request)
    question = ""
    calls, wanted = [], []
    for call in gold:
        if call.name == ASK:
            question = str(call.arguments["Question"])
            continue
        made, settled = writer.fill(call, functions[call.name].tool.parameters["properties"], asked=bool(question))
        calls.append(ToolCall(name=call.name, arguments=made))
        wanted.append(_wanted(call, made, settled, functions[call.name]))
    reply = f"Here is what you need to know: {'; '.join(writer.told)}." if question else ""
    return Script(calls=tuple(calls), wanted=tuple(wanted), answers=writer.answers, question=question, reply=reply)


def _wanted(call: GoldCall, made: JSON, settled: set[str], function: Function) -> JSON:
    properties = function.tool.parameters["properties"]
    found = {name: _DEFAULT.search(schema.get("description", "")) for name, schema in properties.items()}
    # Where the gold answer gives what is not documented, the documented way to say it is as good.
    open_names = properties if function.added & made.keys() else made
    return {
        "name": call.name,
        "arguments": {name: value for name, value in made.items() if name in settled},
        "free": [name for name in open_names if name not in settled],
        "defaults": {name: default[1] for name, default in found.items() if default},
        "optional": call.optional,
    }


@dataclass
class _Writer:
    """The values that were given out for one task."""

    task_id: str
    request: str
    told: list[str] = field(default_factory=list)
    answers: dict[str, JSON] = field(default_factory=dict)
    uses: Counter[tuple[str, str]] = field(default_factory=Counter)

    def fill(self, call: GoldCall, properties: JSON, *, asked: bool) -> tuple[JSON, set[str]]:
        """Gives a call's arguments without anything open, and which of them are settled."""
        made: JSON = {}
        settled = set()
        for name, value in call.arguments.items():
            schema = properties.get(name, {})
            made[name] = self._filled(call.name, name, value, schema)
            if self._is_told(value, asked):
                self.told.append(f"{name} is {json.dumps(made[name], ensure_ascii=False)}")
                settled.add(name)
            elif _is_fixed(value) if isinstance(value, Placeholder) else says(self.request, value):
                settled.add(name)
        return made, settled

    def _is_told(self, value: Any, asked: bool) -> bool:
        if isinstance(value, Placeholder):
            return value.origin == ASK
        return asked and not says(self.request, value)

    def _filled(self, function: str, name: str, value: Any, schema: JSON) -> Any:
        if not isinstance(value, Placeholder):
            return value
        if value.origin in ("", ASK):
            return self._any(name, value.name, schema) if value.origin else _some(name, schema)
        return self._answered(function, value, schema)

    def _answered(self, function: str, value: Placeholder, schema: JSON) -> Any:
        """A value that the API tells; each further use by one function is of another."""
        used = self.uses[function, value.name]
        self.uses[function, value.name] += 1
        fresh = self._drawn(value.name, schema, used)
        answer = self.answers.setdefault(value.origin, {})
        before = answer.get(value.name)
        if used == 0:
            return answer.setdefault(value.name, fresh)
        answer[value.name] = [*(before if isinstance(before, list) else [before]), fresh]
        return fresh

    def _any(self, name: str, wanted: str, schema: JSON) -> Any:
        if "enum" in schema:
            return schema["enum"][0]
        return _TOLD.get(wanted) or _TOLD.get(name) or self._drawn(wanted, schema)

    def _drawn(self, name: str, schema: JSON, use: int = 0) -> Any:
        number = 1000 + zlib.crc32(f"{self.task_id}/{name}/{use}".encode()) % 9000
        return number if "integer" in types_of(schema) else f"{name}-{number}"


def _is_fixed(value: Placeholder) -> bool:
    return bool(value.origin) and value.is_identifier


def _some(name: str, schema: JSON) -> Any:
    """A value for an argument that may have any."""
    plain = {"integer": 2023, "number": 1.0, "array": [], "object": {}}
    (kind, *_) = types_of(schema) or ("string",)
    return plain.get(kind, "2022-01-01" if "date" in name.lower() else "any")
