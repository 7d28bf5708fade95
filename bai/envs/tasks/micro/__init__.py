"""Micro: our own generator of small programming tasks, seeded and without end."""

from bai.envs.tasks.micro.task_set import DIFFICULTIES, MicroTaskSet, Split

__all__ = ["DIFFICULTIES", "MicroTaskSet", "Split"]
