"""Tables: our own generator of questions about tables, seeded and without end."""

from bai.envs.tasks.tables.task_set import DIFFICULTIES, FAMILIES, Split, TablesTaskSet

__all__ = ["DIFFICULTIES", "FAMILIES", "Split", "TablesTaskSet"]
