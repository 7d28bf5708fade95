"""Running this interpreter's pip."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence

from bai.errors import DataError, InfraError

__all__ = ["plain_name", "run_pip"]

PIP_S = 600.0
"""Seconds that one run of it may take."""


def run_pip(arguments: Sequence[str], *, failed: str) -> bytes:
    """Runs pip, and gives what it prints.

    Args:
        arguments: Its command and what follows.
        failed: Beginning of the sentence where it does not succeed.

    Raises:
        DataError: It did not succeed; the message has its last line.
        InfraError: It cannot be run, or takes too long.
    """
    options = ["--no-input", "--disable-pip-version-check", "--quiet"]
    command = [sys.executable, "-m", "pip", *arguments[:1], *options, *arguments[1:]]
    try:
        done = subprocess.run(command, capture_output=True, timeout=PIP_S, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InfraError(f"{failed}: pip could not be run: {error}") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"]
        raise DataError(f"{failed}: {said[-1][:300]}")
    return done.stdout


def plain_name(name: str) -> str:
    """Gives a distribution's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()
