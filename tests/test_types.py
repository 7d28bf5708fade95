"""The nouns: exact JSON forms, honest verdicts, and files that survive a run cut off."""

from __future__ import annotations

import json
import pickle
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from bai.errors import MalformedRow
from bai.types import (
    Message,
    Span,
    Task,
    TokenTrace,
    Trajectory,
    Turn,
    Verdict,
    read_trajectories,
    write_trajectories,
)

TEXT = st.text(st.characters(codec=None), max_size=40)
"""Any text, lone surrogates and line separators included."""
FLOATS = st.floats(allow_nan=False, width=64)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)

MESSAGES = st.builds(Message, role=st.sampled_from(["system", "user", "assistant", "tool"]), content=TEXT)
TURNS = st.builds(Turn, observation=TEXT, action=TEXT, reward=FLOATS, stop_reason=st.sampled_from(["", "eos", "stop"]))
SPANS = st.builds(Span, name=TEXT, start_s=FLOATS, duration_s=FLOATS)
VERDICTS = st.one_of(
    st.builds(Verdict, status=st.sampled_from(["passed", "failed"]), score=st.floats(0, 1), detail=TEXT),
    st.builds(
        Verdict,
        status=st.sampled_from(["timeout", "crashed", "memory", "tampered", "infra_error"]),
        score=st.just(0.0),
        detail=TEXT,
    ),
)


@st.composite
def traces(draw: st.DrawFn) -> TokenTrace:
    """Token traces of 0-12 tokens, with and without routes."""
    count = draw(st.integers(0, 12))
    floats = npst.arrays(np.float32, count, elements=st.floats(-100, 0, width=32))
    routes = npst.arrays(np.uint8, (count, draw(st.integers(1, 3)), draw(st.integers(1, 2))))
    return TokenTrace(
        token_ids=draw(npst.arrays(np.int64, count, elements=st.integers(0, 64_000))),
        loss_mask=draw(npst.arrays(np.bool_, count)),
        logprobs=draw(floats),
        entropies=draw(floats),
        routes=draw(st.none() | routes),
    )


TRAJECTORIES = st.builds(
    Trajectory,
    trajectory_id=TEXT,
    env_id=TEXT,
    task_id=TEXT,
    turns=st.lists(TURNS, max_size=3).map(tuple),
    reward=FLOATS,
    reward_terms=st.dictionaries(TEXT, FLOATS, max_size=3),
    verdict=st.none() | VERDICTS,
    error=st.none() | st.just("SandboxDied"),
    seed=st.none() | st.integers(0, 2**63),
    spans=st.lists(SPANS, max_size=2).map(tuple),
    group_id=TEXT,
    parent_id=st.none() | TEXT,
    branch_token=st.none() | st.integers(0, 4096),
    weights_version=st.integers(0, 1000),
    tokens=st.none() | traces(),
    metadata=st.dictionaries(TEXT, JSON_VALUES, max_size=2),
)


def through_json(row: object) -> object:
    """Writes and reads a row as a file would hold it."""
    return json.loads(json.dumps(row, ensure_ascii=True))


@pytest.mark.parametrize(
    ("kind", "values"),
    [(Message, MESSAGES), (Turn, TURNS), (Span, SPANS), (Verdict, VERDICTS), (TokenTrace, traces())],
    ids=["Message", "Turn", "Span", "Verdict", "TokenTrace"],
)
def test_parts_go_through_json_unchanged(kind: type, values: st.SearchStrategy) -> None:
    """``from_json`` undoes ``to_json`` exactly, through real JSON text."""

    @given(values)
    def holds(value: object) -> None:
        assert kind.from_json(through_json(value.to_json())) == value  # type: ignore[attr-defined]

    holds()


@given(TRAJECTORIES)
def test_trajectories_go_through_json_unchanged(trajectory: Trajectory) -> None:
    """A trajectory with any text, floats and tokens is rebuilt exactly."""
    assert Trajectory.from_json(through_json(trajectory.to_json())) == trajectory  # type: ignore[arg-type]


@given(TRAJECTORIES)
def test_trajectories_pickle(trajectory: Trajectory) -> None:
    """Ray sends trajectories between processes unchanged."""
    assert pickle.loads(pickle.dumps(trajectory)) == trajectory


@given(traces())
def test_columns_keep_their_types(trace: TokenTrace) -> None:
    """A trace that was read back has the dtypes that it was written with."""
    again = TokenTrace.from_json(through_json(trace.to_json()))  # type: ignore[arg-type]
    columns = ("token_ids", "loss_mask", "logprobs", "entropies")
    assert [getattr(again, c).dtype for c in columns] == [np.int64, np.bool_, np.float32, np.float32]
    assert again.routes is None or (again.routes.dtype == np.uint8 and again.routes.flags.writeable)


def test_nouns_cannot_be_changed() -> None:
    """Every noun is frozen; ``replace`` makes a changed copy."""
    turn = Turn(observation="o", action="a")
    with pytest.raises(FrozenInstanceError):
        turn.action = "b"  # type: ignore[misc]
    assert replace(turn, action="b") == Turn(observation="o", action="b")
    with pytest.raises(FrozenInstanceError):
        Task(task_id="a", prompt="b").prompt = "c"  # type: ignore[misc]


class TestVerdict:
    """A verdict can only say what the judge may find."""

    @pytest.mark.parametrize("score", [-0.1, 1.1, float("nan"), float("inf")])
    def test_score_lies_in_the_unit_interval(self, score: float) -> None:
        """A score outside [0, 1], or none at all, is refused with what came."""
        with pytest.raises(ValueError, match=r"score must lie in \[0, 1\]"):
            Verdict(status="failed", score=score)

    def test_status_is_known(self) -> None:
        """An unknown status is refused, and the message lists the known ones."""
        with pytest.raises(ValueError, match=r"passed, failed.*'won'"):
            Verdict(status="won", score=1.0)  # type: ignore[arg-type]

    @pytest.mark.parametrize("status", ["timeout", "crashed", "memory", "tampered", "infra_error"])
    def test_only_graded_answers_score(self, status: str) -> None:
        """What was cut short scores 0.0; anything else is refused."""
        with pytest.raises(ValueError, match=r"scores 0\.0"):
            Verdict(status=status, score=0.5)  # type: ignore[arg-type]
        assert Verdict(status=status, score=0.0).is_infra is (status == "infra_error")  # type: ignore[arg-type]


class TestTokenTrace:
    """Columns of one length, compared by value."""

    def test_columns_have_one_length(self) -> None:
        """Columns of different lengths are refused with the lengths."""
        ids, mask = np.zeros(3, np.int64), np.zeros(3, np.bool_)
        floats = np.zeros(3, np.float32)
        with pytest.raises(ValueError, match=r"one length; got \[2, 3\]"):
            TokenTrace(token_ids=ids, loss_mask=mask, logprobs=floats[:2], entropies=floats)
        with pytest.raises(ValueError, match="one length"):
            TokenTrace(
                token_ids=ids, loss_mask=mask, logprobs=floats, entropies=floats, routes=np.zeros((4, 1, 1), np.uint8)
            )

    @given(traces())
    def test_equality_sees_every_column(self, trace: TokenTrace) -> None:
        """Changing any one column makes traces unequal."""
        if not len(trace):
            return
        for name in ("token_ids", "logprobs", "entropies"):
            assert replace(trace, **{name: getattr(trace, name) + 1}) != trace
        assert replace(trace, loss_mask=~trace.loss_mask) != trace
        routes = np.zeros((len(trace), 1, 1), np.uint8) if trace.routes is None else None
        assert replace(trace, routes=routes) != trace


class TestTrainable:
    """A fault of the machinery is never trained on."""

    def trajectory(self, **fields: object) -> Trajectory:
        nothing = np.zeros(0)
        trace = TokenTrace(
            token_ids=nothing.astype(np.int64),
            loss_mask=nothing.astype(np.bool_),
            logprobs=nothing.astype(np.float32),
            entropies=nothing.astype(np.float32),
        )
        defaults = {"trajectory_id": "0", "env_id": "bai/Coding-v0", "task_id": "t", "tokens": trace}
        return Trajectory(**{**defaults, **fields})  # type: ignore[arg-type]

    def test_needs_tokens_and_no_fault(self) -> None:
        """Without tokens, with an error or with an infrastructure verdict, a trajectory is left out."""
        assert self.trajectory().is_trainable
        assert self.trajectory(verdict=Verdict(status="timeout", score=0.0)).is_trainable
        assert not self.trajectory(tokens=None).is_trainable
        assert not self.trajectory(error="SandboxDied").is_trainable
        assert not self.trajectory(verdict=Verdict(status="infra_error", score=0.0)).is_trainable


class TestFiles:
    """JSON lines: appended whole, read exactly, and a cut-off run loses at most its last line."""

    rows = tuple(
        Trajectory(trajectory_id=str(i), env_id="bai/Coding-v0", task_id=f"t\u2028{i}", metadata={"text": "\u2028\n"})
        for i in range(3)
    )

    def test_append_and_read(self, tmp_path: Path) -> None:
        """What was appended in several goes is read back in order; line separators inside texts do no harm."""
        path = tmp_path / "rows.jsonl"
        write_trajectories(path, self.rows[:1])
        write_trajectories(path, self.rows[1:])
        assert tuple(read_trajectories(path)) == self.rows
        assert path.read_bytes().count(b"\n") == 3

    @given(st.data())
    def test_any_cut_leaves_whole_lines(self, data: st.DataObject) -> None:
        """A file cut at any byte gives exactly the trajectories whose lines are whole."""
        lines = [json.dumps(row.to_json()).encode() + b"\n" for row in self.rows]
        whole = b"".join(lines)
        cut = data.draw(st.integers(0, len(whole)))
        path = self.scratch / "cut.jsonl"
        path.write_bytes(whole[:cut])
        # A last line that lacks nothing but its line break is whole too.
        count = sum(cut >= sum(map(len, lines[: i + 1])) - 1 for i in range(3))
        assert tuple(read_trajectories(path)) == self.rows[:count]

    @pytest.fixture(autouse=True)
    def _scratch(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        type(self).scratch = tmp_path_factory.mktemp("cut")

    @pytest.mark.parametrize("bad", [b"{}", b"[1]", b"null", b"{", b'{"a": 1}', b"\xff\xfe", b"7"])
    def test_a_malformed_line_names_file_and_line(self, tmp_path: Path, bad: bytes) -> None:
        """A line in the middle that is no trajectory is an error, not a silent gap."""
        path = tmp_path / "rows.jsonl"
        good = json.dumps(self.rows[0].to_json()).encode()
        path.write_bytes(good + b"\n" + bad + b"\n" + good + b"\n")
        with pytest.raises(MalformedRow) as caught:
            list(read_trajectories(path))
        assert (caught.value.path, caught.value.line) == (str(path), 2)

    def test_empty_lines_and_files(self, tmp_path: Path) -> None:
        """Empty lines are skipped, an empty file gives nothing."""
        path = tmp_path / "rows.jsonl"
        path.write_bytes(b"")
        assert list(read_trajectories(path)) == []
        path.write_bytes(b"\n" + json.dumps(self.rows[0].to_json()).encode() + b"\n\n")
        assert tuple(read_trajectories(path)) == self.rows[:1]
