"""Looking at the process tree, and ending it.

Two situations. In a PID namespace the runner is its first process: it sees exactly the
sandbox, inherits every orphan, and one ``kill(-1)`` ends everything else at once.
Elsewhere the runner is a subreaper among the machine's other processes: its descendants
are found by walking ``/proc``, and a sandbox uid, where there is one, is killed as a whole.
"""

# Descriptors and single system calls throughout: a pathlib in between would hide them.
# ruff: noqa: PTH116, PTH123, PTH208
from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Container, Iterator
from typing import NamedTuple

__all__ = [
    "Usage",
    "count_of_user",
    "kill_everything",
    "kill_strangers",
    "measure",
    "page_tables",
    "pause_everything",
    "proportional",
    "resume_everything",
    "sockets_linger",
    "standing_still",
    "weigh",
]

_PAUSE_S = 1.0
"""Seconds that processes have to stand still."""
_ENDED, _STOPPED = (b"Z", b"X"), (b"T", b"t")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Usage(NamedTuple):
    """What a set of processes holds."""

    resident: int
    """Bytes of resident memory, counting shared pages once for each process."""
    threads: int
    """Processes and threads."""
    virtual: int
    """Bytes of address space."""
    pids: list[int]
    """A living thread of each."""


class _Entry(NamedTuple):
    parent: int
    threads: int
    resident: int
    virtual: int
    reader: int
    """The thread that tells of its memory: the first one, unless that has ended before the others."""


def _table() -> dict[int, _Entry]:
    """Every visible process of which a thread is left."""
    found = {}
    for name in os.listdir("/proc"):
        entry = _entry(int(name)) if name.isdigit() else None
        if entry is not None:
            found[int(name)] = entry
    return found


def _entry(pid: int) -> _Entry | None:
    fields = _fields(f"/proc/{pid}/stat")
    reader = pid
    if fields and fields[0] in _ENDED and int(fields[17]) > 1:
        # Its first thread looks like a zombie and holds nothing, while others go on.
        live = ((_fields(f"/proc/{pid}/task/{tid}/stat"), int(tid)) for tid in _threads(pid))
        parent = fields[1]
        fields, reader = next(((own, tid) for own, tid in live if own and own[0] not in _ENDED), (fields, pid))
        fields[1] = parent
    if not fields or fields[0] in _ENDED:
        return None
    return _Entry(int(fields[1]), int(fields[17]), int(fields[21]) * _PAGE, int(fields[20]), reader)


def _fields(path: str) -> list[bytes]:
    """The fields of a process's or thread's line that follow its name; none if it is gone."""
    try:
        with open(path, "rb") as file:
            # The command's name may hold anything, parentheses too: the last one ends it.
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return []


def _threads(pid: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []


def _descendants(table: dict[int, _Entry], root: int, spare: Container[int] = ()) -> list[int]:
    children: dict[int, list[int]] = {}
    for pid, entry in table.items():
        children.setdefault(entry.parent, []).append(pid)
    found, queue = [], [pid for pid in children.get(root, ()) if pid not in spare]
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue.extend(children.get(pid, ()))
    return found


def measure() -> Usage:
    """Adds up all descendants of this process."""
    table = _table()
    return _add_up(table, _descendants(table, os.getpid()))


def weigh(root: int) -> Usage:
    """Adds up a process and all its descendants."""
    table = _table()
    return _add_up(table, [pid for pid in (root, *_descendants(table, root)) if pid in table])


def _add_up(table: dict[int, _Entry], pids: list[int]) -> Usage:
    resident = sum(table[pid].resident for pid in pids)
    virtual = sum(table[pid].virtual for pid in pids)
    return Usage(resident, sum(table[pid].threads for pid in pids), virtual, [table[pid].reader for pid in pids])


def page_tables(pids: list[int]) -> int:
    """Bytes of page tables, which are no part of resident memory."""
    total = 0
    for pid in pids:
        try:
            total += _told(pid, "status", b"VmPTE:")
        except OSError:
            continue
    return total


def proportional(pids: list[int]) -> int:
    """Bytes of memory with each shared page split among its users; exact, but slower to read."""
    total = 0
    for pid in pids:
        try:
            total += _told(pid, "smaps_rollup", b"Pss:")
        except OSError:
            total += _resident_of(pid)
    return total


def _told(pid: int, file: str, field: bytes) -> int:
    """Bytes that a field of a process's file in /proc tells, in KiB there; 0 where it has none."""
    with open(f"/proc/{pid}/{file}", "rb") as lines:
        return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(field)), 0)


def _resident_of(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE
    except OSError:
        return 0


def sockets_linger() -> bool:
    """Whether the network remembers connections of processes that are gone: their ports stay taken for a minute."""
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError), open(f"/proc/self/net/{name}", "rb") as file:
            file.readline()
            if file.readline():
                return True
    return False


def count_of_user(uid: int) -> int:
    """Processes and threads of a user, over the whole machine."""
    total = 0
    for pid, entry in _table().items():
        try:
            total += entry.threads if os.stat(f"/proc/{pid}").st_uid == uid else 0
        except OSError:
            continue
    return total


def kill_everything(uid: int | None, guard_uid: int | None) -> None:
    """Kills every process of the sandbox but the caller, in one stroke where the kernel allows one."""
    if os.getpid() == 1:
        _signal(-1)
        return
    if uid is not None and guard_uid is not None:
        _kill_uid(uid, guard_uid)
    kill_strangers(())


def pause_everything() -> None:
    """Stops every process but the caller, where it is the first of its namespace; returns when they stand still.

    A stop takes effect when one of a process's threads next runs, so it is waited for, and said again to those that
    were just being made.
    """
    deadline = time.monotonic() + _PAUSE_S
    while os.getpid() == 1 and time.monotonic() < deadline:
        _signal(-1, signal.SIGSTOP)
        if all(_is_still(pid) for pid in _table() if pid != 1):
            return
        time.sleep(0.0005)


def resume_everything() -> None:
    """Undoes :func:`pause_everything`."""
    if os.getpid() == 1:
        _signal(-1, signal.SIGCONT)


@contextlib.contextmanager
def standing_still() -> Iterator[None]:
    """Pauses everything that there is at the beginning of the block."""
    pause_everything()
    try:
        yield
    finally:
        resume_everything()


def _is_still(pid: int) -> bool:
    """Whether no thread of a process runs."""
    states = [_fields(f"/proc/{pid}/task/{tid}/stat")[:1] for tid in _threads(pid)]
    return all(state and state[0] in (*_ENDED, *_STOPPED) for state in states)


def kill_strangers(spare: Container[int]) -> bool:
    """Kills all descendants but the children named by ``spare`` and what is below them; tells whether any was there."""
    found = _descendants(_table(), os.getpid(), spare)
    for pid in found:
        _signal(pid)
    return bool(found)


def _signal(pid: int, number: int = signal.SIGKILL) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _kill_uid(uid: int, guard_uid: int) -> None:
    """Has a helper kill all processes of ``uid``: a stroke that no fork outruns.

    The helper's effective uid reaches the sandbox's processes, while its real and saved uid are
    another's, so that they do not reach it.
    """
    helper = os.fork()
    if helper == 0:
        try:
            os.setgroups([])
            os.setresuid(guard_uid, uid, guard_uid)
            _signal(-1)
        finally:
            os._exit(0)
    os.waitpid(helper, 0)
