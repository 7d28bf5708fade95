"""The system calls that candidate code is refused, as a seccomp filter.

A deny list on top of no_new_privs and, where there are any, namespaces: what reaches into
other processes, widens the kernel's attack surface (new namespaces, BPF, io_uring,
keyrings, userfaultfd), slows the runner down (priorities), outlives its maker (SysV queues
and semaphores) or holds memory that no limit here counts (memfd, SysV shared memory, and
shared anonymous mappings, whose pages stay when no process maps them). Refused calls
fail with EPERM, or with ENOSYS where C libraries then fall back.

Numbers are those of the kernel's tables for each machine; an unknown machine gets no
filter, and the sandbox's capabilities say so.
"""

from __future__ import annotations

import errno
import os
import struct

__all__ = ["build_filter"]

_LOAD, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _JUMP_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER_AT, _MACHINE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
_NEW_NAMESPACES = 0x7E020000
"""Every CLONE_NEW* flag that clone takes."""
_VSOCK = 40
_MAP_SHARED, _MAP_ANONYMOUS = 0x01, 0x20

_MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000
_BOTH = {
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "pidfd_getfd": 438,
    "mount_setattr": 442,
    "memfd_secret": 447,
    "clone3": 435,
}
_NUMBERS: dict[str, dict[str, int]] = {
    "x86_64": {
        **_BOTH,
        "mmap": 9,
        "shmget": 29,
        "socket": 41,
        "clone": 56,
        "semget": 64,
        "msgget": 68,
        "ptrace": 101,
        "setpriority": 141,
        "sched_setparam": 142,
        "sched_setscheduler": 144,
        "pivot_root": 155,
        "mount": 165,
        "umount2": 166,
        "sched_setaffinity": 203,
        "kexec_load": 246,
        "add_key": 248,
        "request_key": 249,
        "keyctl": 250,
        "ioprio_set": 251,
        "unshare": 272,
        "perf_event_open": 298,
        "prlimit64": 302,
        "setns": 308,
        "process_vm_readv": 310,
        "process_vm_writev": 311,
        "sched_setattr": 314,
        "memfd_create": 319,
        "kexec_file_load": 320,
        "bpf": 321,
        "userfaultfd": 323,
    },
    "aarch64": {
        **_BOTH,
        "ioprio_set": 30,
        "umount2": 39,
        "mount": 40,
        "pivot_root": 41,
        "unshare": 97,
        "kexec_load": 104,
        "ptrace": 117,
        "sched_setparam": 118,
        "sched_setscheduler": 119,
        "sched_setaffinity": 122,
        "setpriority": 140,
        "msgget": 186,
        "semget": 190,
        "shmget": 194,
        "socket": 198,
        "add_key": 217,
        "request_key": 218,
        "keyctl": 219,
        "clone": 220,
        "mmap": 222,
        "perf_event_open": 241,
        "prlimit64": 261,
        "setns": 268,
        "process_vm_readv": 270,
        "process_vm_writev": 271,
        "sched_setattr": 274,
        "memfd_create": 279,
        "bpf": 280,
        "userfaultfd": 282,
        "kexec_file_load": 294,
    },
}
_ABSENT = ("clone3", "memfd_create", "memfd_secret")
"""Answered with ENOSYS: callers then use the older way (``clone3`` hides its flags from filters)."""
_OF_ONESELF = ("prlimit64", "sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler")
"""Allowed for process 0, oneself: where the runner has its candidates' uid, they could slow it down for good."""
_BY_ARGUMENT = ("mmap", "socket", "clone", *_OF_ONESELF)


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _refuse(code: int) -> bytes:
    return _step(_RETURN, _ERRNO | code)


def _guard(number: int, test: bytes, argument: int = 0) -> bytes:
    """Refuses a call where ``test`` (ends in a two-way jump: refuse, allow) holds of an argument."""
    body = _step(_LOAD, _FIRST_ARGUMENT_AT + 8 * argument) + test + _refuse(errno.EPERM) + _step(_RETURN, _ALLOW)
    return _step(_JUMP_EQUAL, number, 0, len(body) // 8) + body


def build_filter(machine: str | None = None, *, sockets: bool = True) -> bytes | None:
    """Gives the filter as instructions, or None for a machine whose call numbers are unknown.

    Args:
        machine: Such as ``x86_64``; None for this one.
        sockets: Whether sockets may be made; not, where no network namespace confines them. Pairs of
            connected sockets are always allowed.
    """
    machine = machine or os.uname().machine
    if machine not in _MACHINES:
        return None
    numbers = _NUMBERS[machine]
    steps = [
        _step(_LOAD, _MACHINE_AT),
        _step(_JUMP_EQUAL, _MACHINES[machine], 1, 0),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER_AT),
    ]
    if machine == "x86_64":
        steps += [_step(_JUMP_GREATER_EQUAL, _X32_BIT, 0, 1), _refuse(errno.ENOSYS)]
    for name in (name for name in numbers if name not in _BY_ARGUMENT):
        code = errno.ENOSYS if name in _ABSENT else errno.EPERM
        steps += [_step(_JUMP_EQUAL, numbers[name], 0, 1), _refuse(code)]
    steps.append(_guard(numbers["clone"], _step(_JUMP_SET, _NEW_NAMESPACES, 0, 1)))
    if sockets:
        steps.append(_guard(numbers["socket"], _step(_JUMP_EQUAL, _VSOCK, 0, 1)))
    else:
        steps += [_step(_JUMP_EQUAL, numbers["socket"], 0, 1), _refuse(errno.EACCES)]
    steps += [_guard(numbers[name], _step(_JUMP_EQUAL, 0, 1, 0)) for name in _OF_ONESELF]
    both = _step(_JUMP_SET, _MAP_SHARED, 0, 2) + _step(_JUMP_SET, _MAP_ANONYMOUS, 0, 1)
    steps.append(_guard(numbers["mmap"], both, argument=3))
    steps.append(_step(_RETURN, _ALLOW))
    return b"".join(steps)
