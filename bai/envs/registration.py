"""Registers every environment id with Gymnasium; idempotent, and imports no environment."""

from __future__ import annotations

import gymnasium as gym

__all__ = ["ENV_IDS", "register_envs"]

ENV_IDS: dict[str, str] = {
    "bai/Coding-v0": "bai.envs.coding:CodingEnv",
    "bai/SWEBench-v0": "bai.envs.swebench:SWEBenchEnv",
    "bai/Notebook-v0": "bai.envs.notebook:NotebookEnv",
    "bai/ToolUse-v0": "bai.envs.tooluse:ToolUseEnv",
    "bai/Mathematics-v0": "bai.envs.mathematics:MathematicsEnv",
}
"""Id to entry point. The module of each has a ``make_vector`` too, the vector entry point."""


def register_envs() -> None:
    """Adds the ids that are not there yet."""
    for env_id, entry_point in ENV_IDS.items():
        if env_id not in gym.registry:
            vector = f"{entry_point.partition(':')[0]}:make_vector"
            gym.register(id=env_id, entry_point=entry_point, vector_entry_point=vector, order_enforce=True)
