"""What keys of Redis hold, as JSON that tells any two states apart."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bai.envs.tools.redis import RedisSource
from bai.envs.tools.redis_values import text_of


@pytest.fixture
def source(redis_url: str) -> Iterator[RedisSource]:
    """A source with no keys."""
    made = RedisSource(url=redis_url)
    made.begin(None)
    yield made
    made.close()


@given(st.binary() | st.text().map(str.encode) | st.binary().map(lambda value: rb"\x" + value))
def test_bytes_can_be_told_from_their_text(value: bytes) -> None:
    """What is UTF-8 is the text itself; what is not, and what could be taken for such, is hexadecimal digits."""
    text = text_of(value)
    assert (bytes.fromhex(text[2:]) if text.startswith(r"\x") else text.encode()) == value


def test_bytes_and_texts_that_name_them_are_different_states(source: RedisSource) -> None:
    """No matter how the bytes came to be."""
    states = []
    for command in ("SETBIT key 0 1", r"SET key '\x80'", r"SET key '\\x80'", "SET key \u0080"):
        source.begin(None)
        source.call("redis", {"command": command})
        states.append(source.end_state()["keys"]["key"])
    assert states == [r"\x80", r"\x5c783830", r"\\x80", "\u0080"]


def test_infinite_scores_are_json_and_can_be_set_up(source: RedisSource) -> None:
    """As the texts that Redis has for them."""
    source.call("redis", {"command": "ZADD key inf high -inf low 0.5 half"})
    state = source.end_state()
    assert json.loads(json.dumps(state, allow_nan=False)) == state
    assert state == {"keys": {"key": {"zset": {"low": "-inf", "half": 0.5, "high": "inf"}}}}
    source.begin(state["keys"])
    assert source.end_state() == state


def test_a_stream_is_the_same_for_the_same_commands(source: RedisSource) -> None:
    """Ids are the agent's; a star that is a field or a value is none."""
    states = []
    for _ in range(2):
        source.begin(None)
        for command in ("XADD s 1-1 * *", "XADD s MAXLEN = 10 1-* f v", "XADD s 2 f *"):
            source.call("redis", {"command": command})
        states.append(source.end_state())
    assert states[0] == states[1] and list(states[0]["keys"]["s"]) == ["stream"]
