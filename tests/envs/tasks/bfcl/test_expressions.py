"""Calls that are written in Python."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bai.envs.tasks.bfcl.expressions import read_call
from bai.envs.tools.base import ToolCall
from bai.errors import ConfigError

KNOWN = {"f": ("a", "b"), "g": ()}


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("f(1, b='x')", ToolCall(name="f", arguments={"a": 1, "b": "x"})),
        (" f(a=[1, {'k': None}], b=-1.5) ", ToolCall(name="f", arguments={"a": [1, {"k": None}], "b": -1.5})),
        ("f(a='it\\'s\\n', b=True)", ToolCall(name="f", arguments={"a": "it's\n", "b": True})),
        ("g()", ToolCall(name="g")),
        ("f(c=1)", ToolCall(name="f", arguments={"c": 1})),
    ],
)
def test_a_call_of_literals_is_read(text: str, call: ToolCall) -> None:
    """By place or by name; a name that the function lacks is left to the schema."""
    assert read_call(text, KNOWN) == call


@pytest.mark.parametrize(
    "text",
    [
        "",
        "f",
        "f(",
        "f(1",
        "h()",
        "f(1, 2, 3)",
        "f(1, a=2)",
        "f(**{'a': 1})",
        "f(*[1])",
        "f(a=g())",
        "f(a=__import__('os'))",
        "f.g()",
        "(lambda: 1)()",
        "f(a=1); g()",
        "f(a=[x for x in 'ab'])",
        "f(a=1 + 'x')",
        "import os",
        "f(a='\0')",
        "(" * 10_000,
        "f(a=" + "[" * 10_000 + "]" * 10_000 + ")",
    ],
)
def test_anything_else_is_refused_and_nothing_is_run(text: str) -> None:
    """The message shows what came; no name is looked up and no operator applied."""
    with pytest.raises(ConfigError):
        read_call(text, KNOWN)


@given(st.text(max_size=60))
def test_any_text_is_a_call_or_refused(text: str) -> None:
    """Never another exception."""
    try:
        read_call(text, KNOWN)
    except ConfigError as error:
        assert str(error)
