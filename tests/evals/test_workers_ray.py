"""Evaluations over a real Ray cluster draw the samples that one process draws."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bai.errors import CheckpointError, ConfigError
from bai.evals.run import EvalConfig, evaluate

pytestmark = [pytest.mark.ray, pytest.mark.slow]

CONFIG = EvalConfig(
    policy="oracle", env_options={"task_set": "micro", "split": "heldout"}, limit=6, samples=2, threads=1
)


@pytest.fixture(scope="module", autouse=True)
def no_session() -> None:
    """Ends what tests of other modules left connected."""
    import ray

    ray.shutdown()


@pytest.fixture(scope="module")
def cluster(no_session: None) -> Iterator[str]:
    """A cluster of two nodes with a core each; gives its address."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    made.add_node(num_cpus=1)
    try:
        yield made.address
    finally:
        made.shutdown()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nonsense"])
def test_no_cluster_is_told(address: str) -> None:
    """An address where nothing listens, or that is none."""
    with pytest.raises(ConfigError, match="no Ray cluster answers"):
        evaluate(replace(CONFIG, workers=1, spread="ray", ray_address=address))


def test_a_cluster_draws_what_one_process_draws(cluster: str, tmp_path: Path) -> None:
    """An actor on each node; the same samples in the same order, stored, and the connection is closed after."""
    import ray

    here = evaluate(CONFIG)
    there = evaluate(replace(CONFIG, workers=2, spread="ray", ray_address=cluster), out=tmp_path)
    assert [(t.trajectory_id, t.turns, t.reward) for t in there.trajectories] == [
        (t.trajectory_id, t.turns, t.reward) for t in here.trajectories
    ]
    assert there.summary.pass_at[1].value == 1.0
    assert not ray.is_initialized()


def test_another_session_is_not_taken_for_the_one_asked_for(cluster: str) -> None:
    """A process that is connected elsewhere would run where nobody asked it to."""
    import ray

    ray.init(address=cluster, log_to_driver=False)
    try:
        with pytest.raises(ConfigError, match=f"connected to the Ray cluster at {cluster} already"):
            evaluate(replace(CONFIG, workers=1, spread="ray", ray_address="127.0.0.1:1"))
        assert ray.is_initialized()
        here = cluster.replace(cluster.split(":")[0], "localhost")
        assert evaluate(replace(CONFIG, workers=1, spread="ray", ray_address=here, limit=1)).trajectories
    finally:
        ray.shutdown()


def test_a_policy_that_cannot_be_loaded_is_told(cluster: str) -> None:
    """The actor's reason is the caller's error."""
    with pytest.raises(CheckpointError, match="nowhere"):
        evaluate(replace(CONFIG, policy="checkpoint:nowhere", workers=1, spread="ray", ray_address=cluster))


def test_too_many_workers_are_refused(cluster: str) -> None:
    """The cluster has two cores."""
    with pytest.raises(ConfigError, match="actors ask for 3 CPUs and the Ray session has 2"):
        evaluate(replace(CONFIG, workers=3, spread="ray", ray_address=cluster))
