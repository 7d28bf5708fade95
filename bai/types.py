"""The nouns that every part of bai shares, each with an exact JSON form.

A :class:`Task` is what is to be done. A :class:`Trajectory` is one attempt at it: the
:class:`Turn` s that passed between agent and environment, the named rewards, the
:class:`Verdict` of the judge, the spans of time it took, and, where the policy was a
model of ours, the :class:`TokenTrace` it was sampled with. Nothing is tokenised twice:
the learner reads the ids the sampler wrote.

Shapes: T tokens of the whole trajectory, L model layers, K experts a token is sent to.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "JSON",
    "Message",
    "Role",
    "Span",
    "Status",
    "Task",
    "TokenTrace",
    "Trajectory",
    "Turn",
    "Verdict",
    "read_trajectories",
    "write_trajectories",
]

JSON = dict[str, Any]
Role = Literal["system", "user", "assistant", "tool"]
Status = Literal["passed", "failed", "timeout", "crashed", "memory", "tampered", "infra_error"]


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message of a conversation."""

    role: Role
    """Who speaks."""
    content: str
    """What is said; any string, the empty one too."""

    def to_json(self) -> JSON:
        return {"role": self.role, "content": self.content}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Self:
        return cls(role=row["role"], content=row["content"])


@dataclass(frozen=True, kw_only=True)
class Task:
    """What an episode asks for. Families of tasks subclass it with what their judge needs.

    Only ``prompt`` and ``metadata`` may be shown to an agent. Whatever a subclass adds for
    its judge (tests, expected values, references) stays on the host.
    """

    task_id: str
    """Unique within its task set and stable across runs, such as ``HumanEval/0``."""
    prompt: str
    """The first thing the environment says."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Public facts for filters and reports (difficulty, split, source); JSON values."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the judge found, and how. Every score says how it was obtained."""

    status: Status
    """``passed``, ``failed``; or ``timeout``, ``crashed``, ``memory``, ``tampered``: the fault of what
    was judged; or ``infra_error``: the fault of the machinery, which is never a score."""
    score: float
    """In [0, 1]; 0.0 for every status but ``passed`` and ``failed``."""
    detail: str = ""
    """One line for people; never holds a hidden test or an expected value."""

    def __post_init__(self) -> None:
        if self.status not in get_args(Status):
            raise ValueError(f"status must be one of {', '.join(get_args(Status))}; got {self.status!r}")
        if not 0.0 <= self.score <= 1.0:
            raise ValueError(f"score must lie in [0, 1]; got {self.score!r}")
        if self.score and self.status not in ("passed", "failed"):
            raise ValueError(f"a verdict of status {self.status!r} scores 0.0; got {self.score!r}")

    @property
    def is_infra(self) -> bool:
        """Whether the machinery failed, so that the score means nothing."""
        return self.status == "infra_error"

    def to_json(self) -> JSON:
        return {"status": self.status, "score": self.score, "detail": self.detail}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Self:
        return cls(status=row["status"], score=row["score"], detail=row["detail"])


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One exchange: what the environment said, what the agent answered, what that earned."""

    observation: str
    """What the agent saw last before it answered."""
    action: str
    """The agent's answer, as the environment received it."""
    reward: float = 0.0
    """The reward of this step."""
    stop_reason: str = ""
    """Why the answer ended: ``eos``, ``stop``, ``length``; empty if the policy does not tell."""

    def to_json(self) -> JSON:
        return {
            "observation": self.observation,
            "action": self.action,
            "reward": self.reward,
            "stop_reason": self.stop_reason,
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Self:
        return cls(
            observation=row["observation"],
            action=row["action"],
            reward=row["reward"],
            stop_reason=row["stop_reason"],
        )


@dataclass(frozen=True, kw_only=True)
class Span:
    """A named stretch of time within a rollout, such as ``generate`` or ``grade``."""

    name: str
    start_s: float
    """Seconds since the rollout began."""
    duration_s: float
    """Seconds."""

    def to_json(self) -> JSON:
        return {"name": self.name, "start_s": self.start_s, "duration_s": self.duration_s}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Self:
        return cls(name=row["name"], start_s=row["start_s"], duration_s=row["duration_s"])


@dataclass(frozen=True, kw_only=True, eq=False)
class TokenTrace:
    """The tokens of a whole trajectory as the sampler saw and wrote them."""

    token_ids: NDArray[np.int64]
    """[T] every token, prompt and observations included."""
    loss_mask: NDArray[np.bool_]
    """[T] true where the policy wrote the token; false for what the environment said."""
    logprobs: NDArray[np.float32]
    """[T] log-probability under the distribution really sampled from; 0.0 where the mask is false."""
    entropies: NDArray[np.float32]
    """[T] entropy of that distribution in nats; 0.0 where the mask is false."""
    routes: NDArray[np.uint8] | None = None
    """[T, L, K] experts each token was sent to, or None where they were not recorded."""

    def __post_init__(self) -> None:
        lengths = {len(self.token_ids), len(self.loss_mask), len(self.logprobs), len(self.entropies)}
        if self.routes is not None:
            lengths.add(len(self.routes))
        if len(lengths) != 1:
            raise ValueError(f"all columns of a trace must have one length; got {sorted(lengths)}")

    def __len__(self) -> int:
        return len(self.token_ids)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TokenTrace):
            return NotImplemented
        if (self.routes is None) != (other.routes is None):
            return False
        same_routes = self.routes is None or np.array_equal(self.routes, other.routes)  # type: ignore[arg-type]
        columns = ("token_ids", "loss_mask", "logprobs", "entropies")
        return same_routes and all(np.array_equal(getattr(self, c), getattr(other, c)) for c in columns)

    __hash__ = None  # type: ignore[assignment]

    def to_json(self) -> JSON:
        return {
            "token_ids": self.token_ids.tolist(),
            "loss_mask": self.loss_mask.astype(int).tolist(),
            "logprobs": self.logprobs.tolist(),
            "entropies": self.entropies.tolist(),
            "routes": None if self.routes is None else _pack(self.routes),
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Self:
        return cls(
            token_ids=np.asarray(row["token_ids"], dtype=np.int64),
            loss_mask=np.asarray(row["loss_mask"], dtype=np.bool_),
            logprobs=np.asarray(row["logprobs"], dtype=np.float32),
            entropies=np.asarray(row["entropies"], dtype=np.float32),
            routes=None if row["routes"] is None else _unpack(row["routes"]),
        )


def _pack(array: NDArray[np.uint8]) -> JSON:
    return {"shape": list(array.shape), "base64": base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()}


def _unpack(row: Mapping[str, Any]) -> NDArray[np.uint8]:
    return np.frombuffer(base64.b64decode(row["base64"]), dtype=np.uint8).reshape(row["shape"]).copy()


@dataclass(frozen=True, kw_only=True)
class Trajectory:
    """One attempt at one task: serialisable, viewable, and open to being scored again."""

    trajectory_id: str
    """Unique within its run."""
    env_id: str
    """The Gymnasium id, such as ``bai/Coding-v0``."""
    task_id: str
    """The task attempted."""
    turns: tuple[Turn, ...] = ()
    """In order; empty if the first reset failed."""
    reward: float = 0.0
    """What the learner maximises: the sum of the turns' rewards."""
    reward_terms: Mapping[str, float] = field(default_factory=dict)
    """Named parts of the reward, such as ``hidden_tests``."""
    verdict: Verdict | None = None
    """The judge's finding, or None if the episode was never graded."""
    error: str | None = None
    """Short class name of an infrastructure fault, or None. A trajectory with one is never trained on."""
    seed: int | None = None
    """The seed the episode was reset with."""
    spans: tuple[Span, ...] = ()
    """Where the time went."""
    group_id: str = ""
    """Trajectories with the same group id share their first observation and are compared with each other."""
    parent_id: str | None = None
    """The trajectory this one branched from, or None."""
    branch_token: int | None = None
    """Number of tokens shared with the parent, or None."""
    weights_version: int = 0
    """Version of the policy's weights that sampled it; counts the learner's updates."""
    tokens: TokenTrace | None = None
    """What the learner trains on; None for policies that give text only."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Public facts copied from the task, and the policy's own; JSON values."""

    @property
    def is_sound(self) -> bool:
        """Whether no fault of the machinery spoilt it."""
        return self.error is None and not (self.verdict and self.verdict.is_infra)

    @property
    def is_trainable(self) -> bool:
        """Whether a learner may use it: sound, and sampled with tokens."""
        return self.tokens is not None and self.is_sound

    def to_json(self) -> JSON:
        """Gives plain JSON values; :meth:`from_json` is its exact inverse."""
        return {
            "trajectory_id": self.trajectory_id,
            "env_id": self.env_id,
            "task_id": self.task_id,
            "turns": [turn.to_json() for turn in self.turns],
            "reward": self.reward,
            "reward_terms": dict(self.reward_terms),
            "verdict": None if self.verdict is None else self.verdict.to_json(),
            "error": self.error,
            "seed": self.seed,
            "spans": [span.to_json() for span in self.spans],
            "group_id": self.group_id,
            "parent_id": self.parent_id,
            "branch_token": self.branch_token,
            "weights_version": self.weights_version,
            "tokens": None if self.tokens is None else self.tokens.to_json(),
            "metadata": dict(self.metadata),
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Self:
        """Rebuilds a trajectory.

        Raises:
            KeyError: A field is missing.
        """
        fields = dict(row)
        fields["turns"] = tuple(Turn.from_json(turn) for turn in row["turns"])
        fields["verdict"] = None if row["verdict"] is None else Verdict.from_json(row["verdict"])
        fields["spans"] = tuple(Span.from_json(span) for span in row["spans"])
        fields["tokens"] = None if row["tokens"] is None else TokenTrace.from_json(row["tokens"])
        return cls(**fields)


def write_trajectories(path: Path, trajectories: Iterable[Trajectory]) -> None:
    """Appends trajectories to a JSON lines file, one whole line at a time."""
    with path.open("a", encoding="utf-8") as file:
        for trajectory in trajectories:
            file.write(json.dumps(trajectory.to_json(), ensure_ascii=True) + "\n")
            file.flush()


def read_trajectories(path: Path) -> Iterator[Trajectory]:
    """Reads what :func:`write_trajectories` wrote; a torn last line (a run cut off) is left out.

    Raises:
        MalformedRow: A line other than a torn last one cannot be read.
    """
    from bai.errors import MalformedRow

    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            yield Trajectory.from_json(json.loads(line))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            if number == len(lines):
                return
            found = f"the field {error} is not there" if isinstance(error, KeyError) else error
            problem = f"expected a trajectory, as bai writes them one a line; this is none: {found}"
            raise MalformedRow(str(path), number, "", problem) from error
