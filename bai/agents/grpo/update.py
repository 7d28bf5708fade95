"""One update of the learners, seen from the driver: it ends, or names who did not answer."""

from __future__ import annotations

from typing import Any

import torch
from ray.rllib.core.learner.training_data import TrainingData

from bai.agents.grpo.batch import TrainBatch
from bai.agents.grpo.workers import ask

__all__ = ["check_learners", "update_learners"]


def update_learners(
    learner_group: Any, batch: TrainBatch, *, num_epochs: int, seed: int, timeout_s: float
) -> list[Any]:
    """Trains on a batch, in this process or in every remote learner on its share.

    Args:
        learner_group: RLlib's group of learners.
        batch: Rows, in the order in which they are to be cut.
        num_epochs: Passes over the batch.
        seed: Of whatever the model draws while it trains, such as dropout.
        timeout_s: Seconds that remote learners may take.

    Returns:
        The metrics of each learner, to be aggregated.

    Raises:
        WorkerFailure: A remote learner died, failed or did not answer in time: the state it shared with the others
            is gone, so training goes on from a checkpoint only.
    """
    cuts = {"num_epochs": num_epochs, "minibatch_size": batch.minibatch_size}
    if learner_group.is_local:
        torch.manual_seed(seed)
        return list(learner_group.update(batch=batch.multi_agent_batch(), timesteps={}, **cuts))
    shards = TrainingData(batch=batch.multi_agent_batch()).shard(num_shards=len(learner_group))
    manager = learner_group._worker_manager
    questions = {
        learner: {"training_data": shard, "cuts": cuts, "seed": seed + learner}
        for learner, (shard, _) in zip(manager.actor_ids(), shards, strict=True)
    }
    answers = ask(manager, _update, questions, timeout_s=timeout_s, kind="learner")
    return list(answers.all_values("learner", "the update").values())


def check_learners(learner_group: Any, *, timeout_s: float) -> None:
    """Makes sure that remote learners answer, before a call of RLlib's that would wait for them without end.

    Raises:
        WorkerFailure: One does not.
    """
    if learner_group.is_remote:
        manager = learner_group._worker_manager
        questions: dict[int, dict[str, Any]] = {learner: {} for learner in manager.actor_ids()}
        ask(manager, _present, questions, timeout_s=timeout_s, kind="learner").all_values("learner", "the checkpoint")


def _present(learner: Any) -> bool:
    return learner is not None


def _update(learner: Any, training_data: TrainingData, cuts: dict[str, Any], seed: int) -> Any:
    torch.manual_seed(seed)
    return learner.update(training_data=training_data, timesteps={}, **cuts)
