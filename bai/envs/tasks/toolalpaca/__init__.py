"""ToolAlpaca: requests to public APIs, which are simulated."""

from bai.envs.tasks.toolalpaca.task_set import load_toolalpaca

__all__ = ["load_toolalpaca"]
