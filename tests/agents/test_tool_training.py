"""GRPO with tools, from end to end: real calls, a real model, several turns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bai.agents.imitation import demonstrations
from bai.agents.policies.local import LocalPolicy
from bai.agents.train import TrainConfig, train
from bai.evals.demo import warm_start
from bai.types import read_trajectories

pytest.importorskip("jsonschema", reason="needs jsonschema")

ENV = "bai/ToolUse-v0"
OPTIONS = {"difficulty": 1, "prompt": "short", "max_turns": 2, "sandbox": "process"}


def test_demonstrations_hold_what_came_back() -> None:
    """A dialogue to learn from: the request, the call, its result, the end of the turn."""
    dialogues = list(demonstrations(ENV, {**OPTIONS, "category": "simple"}, limit=5))
    for messages in dialogues:
        assert [message.role for message in messages] == ["user", "assistant", "user", "assistant"]
        assert messages[1].content.startswith('{"name": ') and messages[3].content == "done"
        assert messages[2].content in ("ok", "ok, 1 row changed")


@pytest.mark.ray
@pytest.mark.slow
def test_two_iterations_run_and_leave_a_policy(ray_session: None, tmp_path: Path) -> None:
    """Every episode has its turns and is judged, none is lost, and what comes out can be loaded."""
    config = TrainConfig(
        model=warm_start(),
        out=tmp_path / "run",
        env=ENV,
        env_config=OPTIONS,
        iterations=2,
        settings={"prompts_per_step": 2, "group_size": 2, "max_new_tokens": 16, "lr": 1e-4, "torch_threads": 1},
        save_trajectories=4,
        checkpoint_every=0,
    )
    result = train(config)
    lines = [json.loads(line) for line in result.metrics_file.read_text().splitlines()]
    assert [line["iteration"] for line in lines] == [1, 2]
    assert all(line["faults/lost"] == 0 and line["requested"] == 4 for line in lines)
    sampled = list(read_trajectories(tmp_path / "run" / "trajectories" / "000002.jsonl"))
    assert len(sampled) == 4 and all(row.verdict is not None and row.is_sound for row in sampled)
    LocalPolicy.from_directory(result.policy)
