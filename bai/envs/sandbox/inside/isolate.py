"""Namespaces and a private root for the process backend, made by the runner itself.

The bubblewrap backend has bwrap do all this from outside.
"""

# Descriptors and single system calls throughout: a pathlib in between would hide them.
# ruff: noqa: PTH103, PTH112, PTH120, PTH123, PTH211
from __future__ import annotations

import os
from typing import Any

from . import kernel

__all__ = ["enter_namespaces"]

_NEW_ROOT = "/sys"
"""Where the new root is built: it exists everywhere and holds nothing that is shown inside."""
_DEVICES = {"null": "null", "zero": "full", "full": "full", "random": "random", "urandom": "urandom"}
"""Name inside, and the device behind it: ``full`` reads as zeros too, but cannot be mapped as memory that no limit
counts."""


def enter_namespaces(config: dict[str, Any]) -> None:
    """Moves into fresh namespaces with a private root; returns in their first process only.

    The outer process stays behind to pass the inner one's end on, and each dies with the other.

    Raises:
        OSError: The kernel refused a step.
    """
    flags = kernel.NEW_NS | kernel.NEW_PID | kernel.NEW_NET | kernel.NEW_IPC | kernel.NEW_UTS | kernel.NEW_CGROUP
    if not config["privileged"]:
        _enter_user_namespace(flags)
    else:
        kernel.unshare(flags)
    kernel.die_with_parent()
    inner = os.fork()
    if inner:
        _stand_by(inner)
    kernel.die_with_parent()
    kernel.loopback_up()
    _build_root(config)


def _enter_user_namespace(flags: int) -> None:
    uid, gid = os.getuid(), os.getgid()
    kernel.unshare(flags | kernel.NEW_USER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _stand_by(inner: int) -> None:
    """Holds nothing open, so that the host sees the inner process's end as the end of the stream."""
    os.closerange(0, 1 << 20)
    _, status = os.waitpid(inner, 0)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _build_root(config: dict[str, Any]) -> None:
    kernel.keep_mounts_private()
    root, size = _NEW_ROOT, config["limits"]["disk_bytes"]
    kernel.mount("tmpfs", root, "tmpfs", "mode=0755,size=1m")
    for source, target in config["binds"]:
        _show(source, root + target)
        kernel.seal(root + target, below=True)
    for folder in config["hidden"]:
        kernel.mount("tmpfs", root + folder, "tmpfs", "mode=0755,size=4k")
        kernel.seal(root + folder, below=False)
    for target, path in config["links"]:
        os.makedirs(os.path.dirname(root + path), exist_ok=True)
        os.symlink(target, root + path)
    os.makedirs(f"{root}/dev")
    for name, device in _DEVICES.items():
        _show(f"/dev/{device}", f"{root}/dev/{name}")
    os.symlink("/proc/self/fd", f"{root}/dev/fd")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        os.symlink(f"/proc/self/fd/{number}", f"{root}/dev/{name}")
    for folder in config["scratch"]:
        os.makedirs(root + folder)
        kernel.mount("tmpfs", root + folder, "tmpfs", f"mode=0700,size={size},nr_inodes={config['inodes']}")
    room, inodes = config["branch_disks"] * size, config["branch_disks"] * config["inodes"]
    os.makedirs(root + config["branches"])
    kernel.mount("tmpfs", root + config["branches"], "tmpfs", f"mode=0711,size={room},nr_inodes={inodes}")
    os.makedirs(f"{root}/proc")
    kernel.mount("proc", f"{root}/proc", "proc", "")
    for path in config["masked"]:
        kernel.bind("/dev/null", root + path)
    kernel.seal(root, below=False)
    kernel.pivot_root(root)


def _show(source: str, target: str) -> None:
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    kernel.bind(source, target)
