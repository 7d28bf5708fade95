"""tau2-bench's retail tasks: a shop's user wants something, and the shop has a policy."""

from bai.envs.tasks.retail.task_set import load_tau2_retail

__all__ = ["load_tau2_retail"]
