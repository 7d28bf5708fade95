"""What holds for every simulated API."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bai.envs.tasks.bfcl.files import find_bfcl, rows
from bai.envs.tasks.bfcl.multi_turn import APIS
from bai.envs.tasks.bfcl.schema import declaration
from bai.envs.tools.base import Tool
from bai.envs.tools.registry import make_source
from bai.envs.tools.simulated.base import SimulatedApi
from bai.errors import ConfigError, ToolFault

NAMES = [source for source, _ in APIS.values()]
WORDS = ["a", "b", "..", "", "None", "USR002", "Buy", "AAPL", "SFO", "LAX", "2026-01-02", "USD", "on", "x" * 50]


def drawn(schema: dict[str, Any], rng: random.Random) -> Any:
    """Draws a value that a schema allows, odd ones among them."""
    kind = schema.get("type")
    if kind == "integer":
        return rng.choice([0, 1, -1, 3, 12446, 10**30])
    if kind == "number":
        return rng.choice([0, 1.5, -2, 1e300, 10**400, 7])
    if kind == "boolean":
        return rng.random() < 0.5
    if kind == "array":
        return [drawn(schema["items"], rng) for _ in range(rng.randrange(4))]
    return {"priority": rng.choice([2, 9, None])} if kind == "object" else rng.choice(WORDS)


def arguments(tool: Tool, rng: random.Random) -> dict[str, Any]:
    schema = tool.parameters
    names = [name for name in schema["properties"] if name in schema["required"] or rng.random() < 0.5]
    return {name: drawn(schema["properties"][name], rng) for name in names}


@pytest.mark.parametrize("name", NAMES)
def test_any_call_that_a_schema_allows_is_answered_or_refused(name: str) -> None:
    """2,000 random calls: JSON comes back, or a ToolFault that left the state as it was; states stay JSON."""
    source, rng = make_source(name), random.Random(f"calls {name}")
    assert isinstance(source, SimulatedApi)
    source.begin({"stocks": {"AAPL": {"price": 2.0, "percent_change": 1.0}}, "authenticated": True})
    tools, refused = source.tools(), 0
    for _ in range(2_000):
        tool, before = rng.choice(tools), source.get_state()
        try:
            assert isinstance(json.loads(source.call(tool.name, arguments(tool, rng))), (dict, list))
        except ToolFault:
            refused += 1
            assert source.get_state() == before
        if rng.random() < 0.02:
            source.begin(None)
    json.dumps(source.get_state(), allow_nan=False)
    assert 0 < refused < 2_000


@pytest.mark.parametrize("name", NAMES)
def test_a_state_forks_and_an_episode_starts_clean(name: str) -> None:
    """A branch goes its own way, both give the same results for the same calls, and begin() forgets all."""
    source, other, rng = make_source(name), make_source(name), random.Random(3)
    source.begin(None)
    clean = source.get_state()
    for tool in source.tools() * 3:
        given = arguments(tool, rng)
        other.set_state(source.get_state())
        assert said(source, tool, given) == said(other, tool, given)
        assert source.end_state() == other.end_state()
    source.begin(None)
    assert source.get_state() == clean


def said(source: Any, tool: Tool, given: dict[str, Any]) -> str:
    try:
        answer: str = source.call(tool.name, copy.deepcopy(given))
    except ToolFault as fault:
        return fault.reason
    return answer


@pytest.mark.parametrize("name", NAMES)
def test_the_own_attributes_are_no_part_of_the_end_state(name: str) -> None:
    """What begins with an underscore forks, and is not compared."""
    source = make_source(name)
    source.begin(None)
    assert not any(key.startswith("_") for key in source.end_state())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("setup", [5, "x", ["x"]])
def test_a_setup_that_is_no_object_is_refused(name: str, setup: Any) -> None:
    """The message says what was expected and what came."""
    with pytest.raises(ConfigError, match=f"object of attributes; got {type(setup).__name__}"):
        make_source(name).begin(setup)


@pytest.mark.parametrize(
    ("name", "setup"),
    [
        ("bfcl_file_system", {"root": {}}),
        ("bfcl_file_system", {"root": {"a": {"type": "file", "content": ""}}}),
        ("bfcl_messages", {"inbox": [5]}),
        ("bfcl_trading", {"orders": {"x": {}}}),
    ],
)
def test_a_setup_of_another_form_is_refused(name: str, setup: Any) -> None:
    """A setup comes from a file: it is a ConfigError, not a surprise later."""
    with pytest.raises(ConfigError, match="cannot begin"):
        make_source(name).begin(setup)


def test_what_is_no_tool_cannot_be_called() -> None:
    """Neither a method of the source nor a name that it lacks."""
    source = make_source("bfcl_math")
    source.begin(None)
    for name in ("begin", "get_state", "_load", "nothing"):
        with pytest.raises(ConfigError, match="no tool"):
            source.call(name, {})


@pytest.mark.data
@pytest.mark.parametrize("api", APIS)
def test_the_tools_are_those_of_the_function_docs(api: str, data_dir: Path) -> None:
    """Same names, parameters, types and required ones; every doc is a sound JSON Schema."""
    name, file = APIS[api]
    own = {tool.name: tool.parameters for tool in make_source(name).tools()}
    (path,) = find_bfcl(f"multi_turn_func_doc/{file}")
    docs = {row["name"]: declaration(row).parameters for row in rows(path).values()}
    assert own.keys() == docs.keys()
    for function, schema in docs.items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert sorted(own[function]["required"]) == sorted(schema["required"])
        types = {key: value["type"] for key, value in schema["properties"].items()}
        assert {key: value["type"] for key, value in own[function]["properties"].items()} == types
