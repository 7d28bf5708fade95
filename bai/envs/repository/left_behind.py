"""Names of files and folders that tools leave behind in a repository, and that are none of its own."""

from __future__ import annotations

__all__ = ["BUILT", "CACHES", "LEFT_OUT"]

CACHES = frozenset({"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis"})
"""What interpreters, test runners and checkers keep for their next run; nobody writes files there."""
BUILT = frozenset({"build", "dist", ".tox", ".nox", ".eggs", ".venv", "venv"})
"""What builders and environments fill; a project may have files of its own under the first two names."""
LEFT_OUT = CACHES | BUILT | {".git", ".DS_Store"}
"""What is passed over where a project's folder is read; a task's digest rests on it, so all readers use this."""
