"""The ``bai`` command: thin commands over functions of the package."""

from __future__ import annotations

from bai.cli.app import main

__all__ = ["main"]
