"""GRPO over processes: the same run, and every fault of a worker counted, none scored."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from bai.agents.grpo.metrics import flatten_result
from bai.errors import StaleWeights, WorkerFailure

pytestmark = [pytest.mark.ray, pytest.mark.slow]


def weights(algorithm: Any) -> dict[str, np.ndarray]:
    return algorithm._weights.current()[1]


def assert_equal_weights(left: dict[str, np.ndarray], right: dict[str, np.ndarray]) -> None:
    assert left.keys() == right.keys()
    for name in left:
        assert np.array_equal(left[name], right[name]), name


def iterate(algorithm: Any, iterations: int) -> list[dict[str, float]]:
    return [flatten_result(algorithm.train()) for _ in range(iterations)]


def spread(config: Any, *, runners: int = 0, learners: int = 0) -> Any:
    return config.env_runners(num_env_runners=runners).learners(num_learners=learners)


def test_resume_with_two_runners_is_bit_exact(build: Callable, toy_config: Callable, tmp_path: Path) -> None:
    """A run that was ended, processes and all, and came back has the weights of the one that went straight on."""
    whole = build(spread(toy_config(), runners=2))
    iterate(whole, 2)
    checkpoint = whole.save_to(tmp_path / "000002")
    straight = iterate(whole, 2)
    whole_weights = weights(whole)
    whole.stop()
    resumed = build(spread(toy_config(), runners=2))
    resumed.restore_from(checkpoint)
    again = iterate(resumed, 2)
    assert [row["reward"] for row in again] == [row["reward"] for row in straight]
    assert_equal_weights(weights(resumed), whole_weights)


def test_the_topology_changes_nothing_but_rounding(build: Callable, toy_config: Callable, tmp_path: Path) -> None:
    """Two runners and two learners sample the same prompts and learn the same as one process.

    They save, go back and export; and when a learner dies, the message says which, and to resume.
    """
    import ray

    here = build(toy_config())
    alone = iterate(here, 2)
    there = build(spread(toy_config(update_timeout_s=120.0), runners=2, learners=2))
    together = iterate(there, 2)
    mine, theirs = here.last_trajectories, there.last_trajectories
    assert [(t.trajectory_id, t.task_id, t.seed) for t in mine] == [
        (t.trajectory_id, t.task_id, t.seed) for t in theirs
    ]
    for one, other in zip(alone, together, strict=True):
        assert one["reward"] == pytest.approx(other["reward"])
        assert one["learner/policy_loss"] == pytest.approx(other["learner/policy_loss"], abs=1e-5)
        assert one["learner/grad_norm"] == pytest.approx(other["learner/grad_norm"], rel=1e-3)

    checkpoint = there.save_to(tmp_path / "c")
    before = weights(there)
    iterate(there, 1)
    there.restore_from(checkpoint)
    assert_equal_weights(weights(there), before)
    saved = load_file(checkpoint / "policy" / "model.safetensors")
    for name in saved:
        assert np.array_equal(saved[name], before[name]), name

    ray.kill(there.learner_group._worker_manager._actors[1])
    with pytest.raises(WorkerFailure, match=r"learner 1: .*"):
        iterate(there, 1)


def test_faults_of_runners_are_counted_and_never_scored(build: Callable, toy_config: Callable, tmp_path: Path) -> None:
    """A garbled reply, stale weights, an exception and a death each cost a second sampling, and are told.

    Afterwards a runner that will not take new weights over ends the run, and so does the death of all.
    """
    import ray
    from bai_toy import ScriptedRunner

    config = spread(toy_config(max_runner_deaths=2, sync_timeout_s=60.0), runners=2)
    config.env_runners(env_runner_cls=ScriptedRunner)
    config.toy_script = {1: "garble", 2: "lie", 3: "raise", 4: "die", 6: "refuse"}
    config.toy_marks = str(tmp_path)
    algorithm = build(config)
    rows = iterate(algorithm, 5)
    wanted = [
        {},
        {"garbled_replies": 1},
        {"stale": 12},
        {"failed_shards": 1},
        {"runner_deaths": 1},
    ]
    for row, faults in zip(rows, wanted, strict=True):
        counted = {name.removeprefix("faults/"): n for name, n in row.items() if name.startswith("faults/") and n}
        assert counted == faults
        assert row["batch/trajectories"] == row["requested"] == 24
    assert rows[2]["learner/sampling_logp_difference_max"] < 1e-4  # nothing stale was trained on
    deadline = time.monotonic() + 240
    while not algorithm.restore_env_runners(algorithm.env_runner_group) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert algorithm.env_runner_group.healthy_env_runner_ids() == [1, 2]  # the dead one was restarted
    with pytest.raises(StaleWeights, match=r"learner's weights are version 6.*env runner 1 holds 5"):
        iterate(algorithm, 2)
    for actor in algorithm.env_runner_group._worker_manager._actors.values():
        ray.kill(actor)  # without a restart
    with pytest.raises(WorkerFailure, match="all 2 env runners are dead"):
        iterate(algorithm, 2)
