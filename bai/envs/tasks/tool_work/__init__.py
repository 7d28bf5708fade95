"""The set ``work``: seeded tasks over a database, files and a key-value server, with end states that are computed."""

from bai.envs.tasks.tool_work.task_set import WorkTaskSet

__all__ = ["WorkTaskSet"]
