"""What is a call, what is text, and what is a call that cannot be read."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bai.envs.tools.base import ToolCall
from bai.envs.tools.reading import MOST_CALLS, MOST_CHARACTERS, read_answer, write_calls
from bai.envs.tools.strict_json import NotJson, parse
from bai.errors import ToolFault

WORDS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
CALLS = st.builds(
    ToolCall, name=st.text(st.characters(categories=["L", "N"]), min_size=1), arguments=st.dictionaries(WORDS, VALUES)
)


@given(calls=st.lists(CALLS, min_size=1, max_size=4).map(tuple), style=st.sampled_from(["json", "tags"]))
def test_what_is_written_is_read(calls: tuple[ToolCall, ...], style: Any) -> None:
    """Both styles hold every call, nested quotes and tags in texts too."""
    assert read_answer(write_calls(calls, style)).calls == calls


@given(calls=st.lists(CALLS, min_size=1, max_size=3).map(tuple), as_text=st.booleans())
def test_messages_of_chat_interfaces_are_read(calls: tuple[ToolCall, ...], as_text: bool) -> None:
    """``tool_calls`` with functions inside, whose arguments are an object or a string of JSON."""
    rows = [
        {
            "id": "call_1",
            "type": "function",
            "function": {
                "name": call.name,
                "arguments": json.dumps(call.arguments) if as_text else call.arguments,
            },
        }
        for call in calls
    ]
    answer = read_answer(json.dumps({"role": "assistant", "content": "Let me see.", "tool_calls": rows}))
    assert (answer.calls, answer.text) == (calls, "Let me see.")


CALL = ToolCall(name="f", arguments={"x": 1})


@pytest.mark.parametrize(
    "said",
    [
        '{"name": "f", "arguments": {"x": 1}}',
        ' \n{"name": "f", "parameters": {"x": 1}}\n',
        '[{"name": "f", "arguments": {"x": 1}}]',
        '```json\n{"name": "f", "arguments": {"x": 1}}\n```',
        'I will look.\n```tool_call\n{"name": "f", "arguments": {"x": 1}}\n```\n',
        '<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call>',
        'Well. <tool_call>{"name": "f", "arguments": "{\\"x\\": 1}"}</tool_call> And?',
        '{"function": {"name": "f", "arguments": {"x": 1}}, "type": "function"}',
    ],
)
def test_dresses_of_one_call(said: str) -> None:
    """White space, fences and words around tags don't matter."""
    assert read_answer(said).calls == (CALL,)


@pytest.mark.parametrize(
    "said",
    ["", "done", "[1, 2]", '{"total": 3}', "{", "[see above]", "{x} is 3", '"f"', "[]", '{"tool_calls": []}', "12"],
)
def test_text(said: str) -> None:
    """What is no attempt at a call ends the turn, JSON too."""
    assert read_answer(said).calls == ()


def test_a_call_without_arguments() -> None:
    """They may be left out, be null or an empty string."""
    for arguments in ("", ', "arguments": null', ', "arguments": ""', ', "arguments": {}'):
        assert read_answer(f'{{"name": "f"{arguments}}}').calls == (ToolCall(name="f"),)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('{"name": "f", "arguments": {"x": 1}', "delimiter"),
        ('{"name": "f", "arguments": {"x": 1}} and then', "follows the JSON value"),
        ('{"name": "f", "arguments": {"x": 1, "x": 2}}', "'x' comes twice"),
        ('{"name": "f", "arguments": {"x": NaN}}', "NaN is no JSON number"),
        ('{"name": "f", "arguments": {"x": -Infinity}}', "-Infinity is no JSON number"),
        ('{"name": "f", "arguments": {"x": 1e999}}', "too large"),
        ('{"name": "f", "arguments": {"x": %s}}' % ("9" * 5000), "digits"),
        ('{"name": "f", "arguments": {"x": "\\ud800"}}', "surrogate"),
        ('{"name": "f", "arguments": {"x": %s}}' % ("[" * 500 + "]" * 500), "64 levels"),
        ('{"name": "f", "arguments": {"x": %s' % ("[" * 60000), "64 levels"),
        ("{'name': 'f', \"arguments\": {}}", "double quotes"),
        ('{"name": "f", "arguments": {"q": "SELECT "a""}}', "delimiter"),
        ('{"name": "f", "arguments": "{\\"x\\": }"}', 'the string in "arguments" is no JSON'),
        ('{"name": "f", "arguments": [1]}', "got a list"),
        ('{"name": "f", "arguments": 7}', "got a number"),
        ('{"name": "", "arguments": {}}', '"name" is the name of a tool'),
        ('{"name": 3, "arguments": {}}', '"name" is the name of a tool'),
        ('{"function": "f", "arguments": {}}', '"name" is the name of a tool'),
        ('{"name": "f", "arguments": {}, "parameters": {}}', "not both"),
        ('{"name": "f", "arguments": {}, "argument": 1}', "got the key 'argument'"),
        ('{"tool_calls": 3}', "to be a list"),
        ('<tool_call>{"name": "f"', "delimiter"),
        ('<tool_call>{"name": "f"}', "expected </tool_call>"),
        ("<tool_call>f(x=1)</tool_call>", "Expecting value"),
        ("<tool_call>[1]</tool_call>", "a call is an object"),
    ],
)
def test_calls_that_cannot_be_read(said: str, told: str) -> None:
    """Each is one fault that says what was wrong, and no text."""
    (call,) = read_answer(said).calls
    assert isinstance(call, ToolFault) and call.kind == "unreadable"
    assert told in call.reason and len(call.reason) < 500


def test_a_broken_call_leaves_its_neighbours() -> None:
    """Between tags, each is read on its own."""
    good = '<tool_call>{"name": "f", "arguments": {"x": 1}}</tool_call>'
    calls = read_answer(f"{good}<tool_call>{{</tool_call>{good}").calls
    assert calls[0] == calls[2] == CALL
    assert isinstance(calls[1], ToolFault)


def test_a_text_may_hold_the_closing_tag() -> None:
    """JSON tells where a call ends."""
    call = ToolCall(name="f", arguments={"x": "</tool_call><tool_call>"})
    assert read_answer(write_calls((call, CALL), "tags")).calls == (call, CALL)


@pytest.mark.parametrize("style", ["json", "tags"])
def test_too_much(style: Any) -> None:
    """A megabyte of arguments, or a thousand calls: one fault, soon."""
    (fault,) = read_answer(write_calls((ToolCall(name="f", arguments={"x": "y" * 1_000_000}),), style)).calls
    assert isinstance(fault, ToolFault) and fault.kind == "too_large" and str(MOST_CHARACTERS) in fault.reason
    (fault,) = read_answer(write_calls((CALL,) * 1_000, style)).calls
    assert isinstance(fault, ToolFault) and fault.kind == "too_large" and str(MOST_CALLS) in fault.reason


@given(said=st.text() | st.text(st.sampled_from('{}[]",:x1 \\')).map('{{"name": "f", "arguments": {}'.format))
def test_anything_is_read(said: str) -> None:
    """No string at all raises."""
    read_answer(said)
    read_answer(f"<tool_call>{said}")


@pytest.mark.data
def test_public_json(data_dir: Path) -> None:
    """What must parse does, what must not does not, but for keys that come twice and what no program reads back."""
    ours = {"y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"}
    files = sorted((data_dir / "json" / "JSONTestSuite_parsing").rglob("*.json"))
    assert len(files) > 300
    for path in files:
        try:
            text = path.read_bytes().decode()
        except UnicodeDecodeError:
            continue
        wanted = path.name[0] == "y" and path.name not in ours
        if path.name[0] == "i":
            continue
        try:
            parse(text)
        except NotJson:
            assert not wanted, path.name
        else:
            assert wanted, path.name


def test_the_last_block_is_the_call() -> None:
    """Of several blocks the one that ends the answer counts."""
    call = '{"name": "sql", "arguments": {"query": "SELECT 1"}}'
    said = read_answer(f"```json\n[1]\n```\nso\n```json\n{call}\n```")
    assert [one.to_json() for one in said.calls if isinstance(one, ToolCall)] == [json.loads(call)]


@pytest.mark.parametrize(
    "piece", ["```json\n", "<tool_call></tool_call>", '<tool_call>{"</tool_call>', "<tool_call>[1,"]
)
def test_reading_takes_one_pass(piece: str) -> None:
    """A mebibyte of openings is read as fast as any text: far from the hour that a pass for each of them takes."""
    began = time.process_time()
    read_answer(piece * (1_048_576 // len(piece)))
    assert time.process_time() - began < 5
