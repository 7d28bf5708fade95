"""A real MCP server over stdio."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import gymnasium as gym
import pytest

from bai.envs.tools.checking import Checker
from bai.envs.tools.mcp import MCPSource, _declared
from bai.envs.tools.registry import make_source
from bai.errors import CannotFork, ConfigError, InfraError

pytest.importorskip("mcp", reason="needs mcp")

COMMAND = [sys.executable, str(Path(__file__).with_name("mcp_server.py"))]
Fault = Callable[..., tuple[str, str]]


def command_lines() -> list[tuple[Path, bytes]]:
    """Those of the processes that run this server."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # not ours to read, or gone
            found.append((path, path.read_bytes()))
    return [(path, line) for path, line in found if COMMAND[1].encode() in line]


@pytest.fixture(scope="module")
def server() -> Iterator[MCPSource]:
    """A source with all its tools."""
    source = make_source("mcp", {"command": COMMAND, "call_s": 60.0, "start_s": 120.0})
    assert isinstance(source, MCPSource)
    yield source
    source.close()


def test_tools_are_listed_and_called(server: MCPSource) -> None:
    """Names, descriptions and schemas are the server's; each episode has a server of its own."""
    server.begin(None)
    declared = {tool.name: tool for tool in server.tools()}
    assert set(declared) == {"note", "hang", "die", "babble", "fail"}
    assert declared["note"].description.startswith("Keep a note")
    assert declared["note"].parameters["required"] == ["text"]
    assert [server.call("note", {"text": "x"}) for _ in range(2)] == ["1", "2"]
    server.begin(None)
    assert server.call("note", {"text": "x"}) == "1"


@pytest.mark.filterwarnings("default")  # the library complains about broken messages in its own way
def test_what_goes_wrong_is_a_fault_of_the_call(server: MCPSource, fault_of: Fault) -> None:
    """A tool that raises, writes nonsense or ends the server; the next episode is good."""
    server.begin(None)
    assert fault_of(server, "fail")[0] == "failed"
    assert fault_of(server, "nothing")[0] == "failed"
    assert server.call("babble", {}) == "said"
    assert fault_of(server, "die")[0] == "died"
    assert fault_of(server, "note", text="x")[0] == "died"
    server.begin(None)
    assert server.call("note", {"text": "x"}) == "1"


@pytest.mark.filterwarnings("default")  # as above
def test_a_server_that_died_before_the_episode_is_started_anew() -> None:
    """That it is gone is nothing of the agent's."""
    source = make_source("mcp", {"command": [*COMMAND, "early"], "call_s": 60.0, "start_s": 120.0})
    source.tools()
    (early,) = (int(path.parent.name) for path, line in command_lines() if b"\0early\0" in line)
    os.kill(early, signal.SIGKILL)
    source.begin(None)
    assert source.call("note", {"text": "x"}) == "1"
    source.close()


def test_a_call_that_is_never_answered(fault_of: Fault) -> None:
    """Ends in time."""
    source = make_source("mcp", {"command": COMMAND, "call_s": 0.5, "start_s": 120.0})
    source.begin(None)
    assert fault_of(source, "hang") == ("timeout", "the server did not answer in 0.5 s")
    source.close()


def test_its_state_is_its_own(server: MCPSource) -> None:
    """There is no setup, no end state and no fork."""
    server.begin(None)
    assert server.end_state() is None
    with pytest.raises(CannotFork):
        server.get_state()
    with pytest.raises(ConfigError):
        server.begin({})


def test_a_closed_source_answers_no_call() -> None:
    """It starts no server but for an episode."""
    source = make_source("mcp", {"command": [*COMMAND, "closed"], "call_s": 60.0, "start_s": 120.0})
    source.begin(None)
    source.close()
    with pytest.raises(InfraError, match="call begin"):
        source.call("note", {"text": "x"})
    assert not any(b"\0closed\0" in line for _, line in command_lines())


@pytest.mark.parametrize("target", ["https://example.org/schema", "#/$defs/text"])
def test_a_schema_that_our_check_cannot_bound_is_left_to_the_server(target: str) -> None:
    """One reference that leaves it is enough, though another does not."""
    from mcp.types import Tool as Told

    properties = {"text": {"$ref": "#/$defs/text"}, "other": {"$ref": target}}
    schema = {"type": "object", "properties": properties, "$defs": {"text": {"type": "string"}}}
    declared = _declared(Told(name="note", input_schema=schema))
    Checker([declared])
    assert ("properties" in declared.parameters) == target.startswith("#")


@pytest.mark.parametrize("command", [["/nowhere/server"], ["/bin/true"], ["/bin/echo", "nonsense"]])
def test_a_server_that_does_not_start_is_a_fault_of_the_machinery(command: list[str]) -> None:
    """It is named."""
    source = make_source("mcp", {"command": command})
    with pytest.raises(InfraError, match=command[0]):
        source.tools()
    source.close()


def test_why_a_server_did_not_start_is_told(tmp_path: Path) -> None:
    """The name that the user gave it, and the last that it wrote to standard error, however much that was."""
    script = tmp_path / "notes.py"
    script.write_text("import sys\nsys.stderr.write('x' * 300_000 + '\\n')\nraise ImportError('no such library')\n")
    env = gym.make("bai/ToolUse-v0", mcp={"notes": [sys.executable, str(script)]}, sandbox="process")
    with pytest.raises(InfraError, match=r"the MCP server 'notes' did not start: .*ImportError: no such library"):
        env.reset(seed=0)
    env.close()


@pytest.mark.parametrize("command", ["server", [], [1]])
def test_commands_that_are_none(command: object) -> None:
    """A command is a list of texts."""
    with pytest.raises(ConfigError):
        make_source("mcp", {"command": command})
    with pytest.raises(ConfigError):
        gym.make("bai/ToolUse-v0", mcp={"x": command})


def test_an_environment_shows_and_calls_its_tools() -> None:
    """Beside the task's own; no process is left."""
    command = [*COMMAND, "alone"]
    env = gym.make("bai/ToolUse-v0", mcp={"notes": command}, sandbox="process", difficulty=1)
    observation, _ = env.reset(seed=0)
    assert '"name": "note"' in observation
    assert env.step('{"name": "note", "arguments": {"text": "x"}}')[0] == "1"
    assert env.step('{"name": "note", "arguments": {"text": 3}}')[0].startswith("error (bad_arguments)")
    with pytest.raises(CannotFork):
        env.unwrapped.fork()
    env.close()
    assert not any(b"\0alone\0" in line for _, line in command_lines())
