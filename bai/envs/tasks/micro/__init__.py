"""Micro: our own generator of small programming tasks, seeded and without end."""

from bai.envs.tasks.micro.mutants import mutants
from bai.envs.tasks.micro.normal import normal_form
from bai.envs.tasks.micro.styles import Style
from bai.envs.tasks.micro.task_set import DIFFICULTIES, MicroTaskSet, Split

__all__ = ["DIFFICULTIES", "MicroTaskSet", "Split", "Style", "mutants", "normal_form"]
