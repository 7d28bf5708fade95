"""Locks on files, which the kernel lets go when their holder dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["locked", "open_lock"]


def open_lock(path: Path) -> int:
    """Opens a file to be locked, making it where it is absent, and follows no symlink; gives its descriptor."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


@contextlib.contextmanager
def locked(descriptor: int, *, wait: bool = False) -> Iterator[bool]:
    """Locks an open file for as long as the block runs, then closes it; tells whether the lock is held.

    Args:
        descriptor: What :func:`open_lock` gave.
        wait: Whether to wait for another holder.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        yield False
    else:
        yield True
    finally:
        os.close(descriptor)
