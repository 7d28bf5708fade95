"""The bubblewrap backend: namespaces and a private root made by ``bwrap``; no daemon, no image."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path
from typing import ClassVar

from bai.envs.sandbox import inside, layout
from bai.envs.sandbox.base import Capabilities
from bai.envs.sandbox.local import COMMON, LocalSandbox
from bai.envs.sandbox.shown import place_of, refuse_closed
from bai.envs.sandbox.startup import BOOTSTRAP
from bai.envs.sandbox.uids import can_change_uid, will_pass
from bai.errors import SandboxUnavailable

__all__ = ["BubblewrapSandbox", "probe"]

_INSIDE = str(Path(inside.__file__).parent)
_SHOWN_INSIDE = "/run/bai"
_RUNNER_MAY = (
    "CAP_SETUID",
    "CAP_SETGID",
    "CAP_KILL",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_SYS_PTRACE",
    "CAP_SYS_RESOURCE",
)
"""What a root runner needs to become its candidates' uid, end them, measure them, and offer them to the kernel first
when memory runs out. No candidate has any."""


class BubblewrapSandbox(LocalSandbox):
    """A sandbox inside ``bwrap``: all namespaces, an empty environment, a read-only system.

    The runner is the first process of the PID namespace. As root it runs its candidates under a uid that no
    other sandbox has; as an ordinary user, in a user namespace, where being the first process, untraceable
    and behind the system call filter protects it from them.
    """

    name: ClassVar[str] = "bubblewrap"

    @classmethod
    def unavailable_reason(cls) -> str | None:
        try:
            return layout.too_old() or probe()
        except SandboxUnavailable as fault:
            return str(fault)

    @property
    def capabilities(self) -> Capabilities:
        return self._as_held(_CAPABILITIES)

    def _runner_command(self) -> tuple[list[str], dict[str, str]]:
        refuse_closed(self._shown, own_root=True)
        command = [
            "bwrap",
            *_isolation(privileged=self._uid is not None),
            *_file_system(self.limits.disk_bytes, self._shown, self._hidden, self._links),
        ]
        environment = {"PATH": layout.path_variable(), **layout.ENVIRONMENT}
        for name, value in environment.items():
            command += ["--setenv", name, value]
        command += ["--chdir", layout.WORKSPACE, "--"]
        runner = [layout.interpreter(), "-P", "-s", "-S", "-c", BOOTSTRAP, _SHOWN_INSIDE]
        return command + runner, {"PATH": os.environ.get("PATH", os.defpath)}


def _isolation(*, privileged: bool) -> list[str]:
    options = ["--die-with-parent", "--new-session", "--as-pid-1", "--clearenv", "--hostname", "sandbox"]
    options += ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    if not privileged:
        return [*options, "--unshare-user"]
    for capability in _RUNNER_MAY:
        options += ["--cap-add", capability]
    return options


def _file_system(
    disk_bytes: int,
    shown: tuple[str, ...] = (),
    hidden: tuple[str, ...] = (),
    own_links: tuple[tuple[str, str], ...] = (),
) -> list[str]:
    of_system = layout.build_layout()
    binds = (*of_system.binds, *((folder, place_of(folder)) for folder in shown))
    options = []
    # Said aloud: bwrap would make them for its own user alone.
    links = (*of_system.links, *((target, path) for path, target in own_links))
    places = {path for _, path in (*binds, *links)}
    for folder in sorted({str(parent) for place in places for parent in Path(place).parents} - {"/"}):
        options += ["--perms", "0755", "--dir", folder]
    for source, target in binds:
        options += ["--ro-bind", source, target]
    for folder in hidden:
        options += ["--perms", "0755", "--size", "4096", "--tmpfs", folder, "--remount-ro", folder]
    for target, path in links:
        options += ["--symlink", target, path]
    options += ["--ro-bind", _INSIDE, _SHOWN_INSIDE, "--proc", "/proc", "--dev", "/dev"]
    for path in layout.masked():
        options += ["--ro-bind", "/dev/null", path]
    # It reads as zeros too, but cannot be mapped as memory that no limit counts.
    options += ["--dev-bind", "/dev/full", "/dev/zero"]
    for folder in layout.SCRATCH:
        options += ["--perms", "0700", "--size", str(disk_bytes), "--tmpfs", folder]
    options += ["--perms", "0711", "--size", str(layout.BRANCH_DISKS * disk_bytes), "--tmpfs", layout.BRANCHES]
    # Their own mounts above stay writable; the directories around them do not.
    return [*options, "--remount-ro", "/dev", "--remount-ro", "/"]


@functools.cache
def probe() -> str | None:
    """Tries bwrap once with the options a sandbox would use; says why that fails, or gives None.

    Raises:
        SandboxUnavailable: It could not be tried just now; nothing is remembered.
    """
    if shutil.which("bwrap") is None:
        return "the bwrap program is not installed; run: apt-get install bubblewrap"
    command = ["bwrap", *_isolation(privileged=can_change_uid()), *_file_system(1 << 20), "--", "/bin/true"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=30, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        if will_pass(error):
            raise SandboxUnavailable(f"bwrap cannot be run: {error}") from error
        return f"bwrap cannot be run: {error}"
    return None if done.returncode == 0 else f"bwrap fails: {done.stderr.decode('utf-8', 'replace').strip()[-300:]}"


_CAPABILITIES = Capabilities(
    network_blocked=True,
    filesystem_hidden=True,
    filesystem_readonly=True,
    processes_hidden=True,
    tree_memory=True,
    tree_processes=True,
    disk_limited=True,
    not_stopped=COMMON,
)
