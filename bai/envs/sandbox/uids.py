"""User ids for sandboxes: while one holds a uid, no other sandbox on the machine does.

Held by a lock on a file, which the kernel lets go when the holder dies.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from bai.envs.sandbox.locks import locked, open_lock
from bai.errors import SandboxUnavailable

__all__ = ["FIRST_UID", "GUARD_OFFSET", "UidLease", "can_change_uid", "holding", "will_pass"]

FIRST_UID = 60_100
"""First uid given out."""
COUNT = 4000
"""How many there are."""
GUARD_OFFSET = 5000
"""A sandbox's guard has its uid plus this: it can kill the sandbox's processes, and they cannot kill it."""

_FOLDER = Path("/run/bai-sandbox-uids")


class UidLease:
    """A uid of one's own until :meth:`release`.

    Raises:
        SandboxUnavailable: All are taken, or the lock files cannot be made.
    """

    def __init__(self) -> None:
        try:
            _FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SandboxUnavailable(f"cannot make {_FOLDER} for the locks of sandbox user ids: {error}") from error
        start = os.getpid() * 61
        for step in range(COUNT):
            self.uid = FIRST_UID + (start + step) % COUNT
            self._fd = open_lock(_FOLDER / str(self.uid))
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except OSError:
                os.close(self._fd)
        raise SandboxUnavailable(f"all {COUNT} sandbox user ids are taken")

    @property
    def guard(self) -> int:
        """The guard's uid."""
        return self.uid + GUARD_OFFSET

    def release(self) -> None:
        """Gives the uid back."""
        if self._fd >= 0:
            # Said aloud, because a forked process may hold a copy of the descriptor, and with it the lock.
            fcntl.flock(self._fd, fcntl.LOCK_UN)
            self.abandon()

    def abandon(self) -> None:
        """Closes a forked process's copy; the uid stays its parent's."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


@contextlib.contextmanager
def holding(uid: int) -> Iterator[bool]:
    """Keeps a uid from being given out; tells False, and keeps nothing, if a sandbox has it, or a fork of its owner."""
    try:
        descriptor = open_lock(_FOLDER / str(uid))
    except OSError:
        yield False
        return
    with locked(descriptor) as held:
        yield held


def will_pass(error: BaseException | None) -> bool:
    """Whether a fault says something of this moment alone: no process, memory, descriptor or thread to be had."""
    if isinstance(error, OSError):
        return error.errno in (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
    return type(error) is RuntimeError


@functools.cache
def can_change_uid() -> bool:
    """Whether this is a root that may become other users, rather than one in name only.

    Raises:
        SandboxUnavailable: That cannot be found out just now.
    """
    if os.geteuid() != 0:
        return False
    try:
        done = subprocess.run(["/bin/sh", "-c", ":"], user=65_000, group=65_000, extra_groups=[], check=False, cwd="/")
    except OSError as error:
        if will_pass(error):
            # A guess would be kept for good, and candidates would run as root.
            raise SandboxUnavailable(f"cannot find out whether this root may become other users: {error}") from error
        return False
    except subprocess.SubprocessError:
        return False
    return done.returncode == 0
