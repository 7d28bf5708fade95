"""An API of which only the documentation is known."""

from __future__ import annotations

import json

import pytest

from bai.envs.tools.registry import make_source
from bai.errors import ConfigError

TOOL = {"name": "find-it", "description": "Find.", "parameters": {"type": "object", "properties": {}}}


def test_it_answers_what_it_knows_and_acknowledges_the_rest() -> None:
    """Each answer says that it is simulated."""
    source = make_source("answered", {"tools": [TOOL, {**TOOL, "name": "other"}]})
    source.begin({"answers": {"find-it": {"id": 7}}})
    assert json.loads(source.call("find-it", {"name": "a"})) == {"simulated": True, "result": {"id": 7}}
    other = json.loads(source.call("other", {}))
    assert other["simulated"] and "no data" in other["message"]
    assert source.end_state() == {
        "calls": [{"name": "find-it", "arguments": {"name": "a"}}, {"name": "other", "arguments": {}}]
    }


def test_episodes_are_apart_and_can_be_branched() -> None:
    """A new one knows nothing of the last; a state comes back as it was."""
    source = make_source("answered", {"tools": [TOOL]})
    source.begin({"answers": {}})
    source.call("find-it", {})
    state = source.get_state()
    source.begin({"answers": {}})
    assert source.end_state() == {"calls": []}
    source.set_state(state)
    assert len(source.end_state()["calls"]) == 1


@pytest.mark.parametrize("setup", [None, {}, {"answers": []}, {"answers": {}, "more": 1}])
def test_a_bad_setup_is_an_error(setup: object) -> None:
    """It says what was expected."""
    source = make_source("answered", {"tools": [TOOL]})
    with pytest.raises(ConfigError, match="answers"):
        source.begin(setup)


def test_bad_tools_are_an_error() -> None:
    """They have three fields."""
    with pytest.raises(ConfigError, match="name, description and parameters"):
        make_source("answered", {"tools": [{"name": "x"}]})
