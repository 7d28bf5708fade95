"""Directories of the host that a sandbox shows its candidates, read-only, such as an interpreter with packages.

Each appears inside at its own absolute path, except where the sandbox has its own file system there: a directory
below ``/tmp``, ``/workspace`` or another place of the sandbox's appears below :data:`ELSEWHERE`, followed by that
path. :func:`place_of` says where. Other directories, of those that every sandbox shows, may be hidden: they are empty
inside, or cannot be read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bai.envs.sandbox import layout
from bai.envs.sandbox.uids import can_change_uid
from bai.errors import ConfigError, SandboxUnavailable

__all__ = ["ELSEWHERE", "beside", "expect_folders", "expect_links", "place_of", "refuse_closed"]

ELSEWHERE = "/shown"
"""Where directories appear whose own place is taken inside."""
OWN = (*layout.SCRATCH, layout.BRANCHES, layout.PACKAGE_ROOT, ELSEWHERE, "/run/bai")
"""Places that a sandbox with a file system of its own has for itself."""
NEVER = ("/proc", "/sys", "/dev")
"""Not directories of files, but the kernel's own."""


def expect_folders(folders: Any, what: str) -> tuple[str, ...]:
    """Checks directories to be shown or hidden; gives them in order, each once.

    Args:
        folders: The directories.
        what: The option's name.

    Raises:
        ConfigError: They are no sequence of absolute paths of directories, or a symlink lies on the way to one.
    """
    if not isinstance(folders, Sequence) or isinstance(folders, (str, bytes)):
        raise ConfigError(f"{what} must be a sequence of absolute paths of directories; got {folders!r:.100}")
    return tuple(dict.fromkeys(_expect_folder(folder, what) for folder in folders))


def _expect_folder(folder: Any, what: str) -> str:
    if not isinstance(folder, str) or not folder.startswith("/") or "\0" in folder:
        raise ConfigError(f"{what} takes absolute paths of directories; got {folder!r:.200}")
    if not Path(folder).is_dir():
        raise ConfigError(f"{what} takes directories of this machine; {folder!r:.200} is none")
    real = os.path.realpath(folder)
    if real != (folder.rstrip("/") or "/"):
        # A link may lead elsewhere by the time that it is followed.
        raise ConfigError(f"{what} takes paths without symlinks; {folder!r:.200} is {real!r:.200}")
    if real == "/" or any(Path(real).is_relative_to(never) for never in NEVER):
        raise ConfigError(f"{what} cannot take {real!r:.200}: it does not hold ordinary files alone")
    return real


def expect_links(links: Any) -> tuple[tuple[str, str], ...]:
    """Checks symlinks that a sandbox's own file system shall have, each (path, target).

    Raises:
        ConfigError: They are no pairs of plain absolute paths, or one would lie where a sandbox or the system has
            something else.
    """
    of_system = layout.build_layout()
    taken = (*OWN, *NEVER, "/etc", *(path for _, path in (*of_system.binds, *of_system.links)))
    pairs = tuple(tuple(pair) if isinstance(pair, (tuple, list)) else (pair,) for pair in links)
    for pair in pairs:
        if len(pair) != 2 or not all(isinstance(path, str) and _is_plain(path) for path in pair):
            raise ConfigError(f"links takes pairs of absolute paths, (path, target); got {pair!r:.200}")
        if any(Path(pair[0]).is_relative_to(own) or Path(own).is_relative_to(pair[0]) for own in taken):
            raise ConfigError(f"no link can lie at {pair[0]!r:.200}: a sandbox has something else there")
    return tuple((path, target) for path, target in pairs)


def _is_plain(path: str) -> bool:
    return path.startswith("/") and os.path.normpath(path) == path and "\0" not in path and path != "/"


def place_of(folder: str) -> str:
    """Gives the path at which a directory appears, where the file system is the sandbox's own."""
    path = Path(folder)
    taken = any(path.is_relative_to(own) or Path(own).is_relative_to(path) for own in OWN)
    return f"{ELSEWHERE}{folder}" if taken else folder


def refuse_closed(folders: Sequence[str], *, own_root: bool) -> None:
    """Refuses directories that candidates, who run as another user where this one is root, could not read.

    Args:
        folders: What is to be shown.
        own_root: Whether the file system is the sandbox's own: then the way to a directory is open inside.

    Raises:
        SandboxUnavailable: They could not, or it is gone.
    """
    for folder in folders:
        try:
            closed = _closed(folder, own_root=own_root)
        except OSError as error:
            raise SandboxUnavailable(f"{folder} cannot be shown: {error.strerror}") from error
        if closed is not None:
            raise SandboxUnavailable(f"{folder} cannot be shown: {closed} is closed to the candidates' user")


def _closed(folder: str, *, own_root: bool) -> str | None:
    """The first directory on the way that they may not pass, or None."""
    if not can_change_uid():
        return None if os.access(folder, os.R_OK | os.X_OK) else folder
    mode = Path(folder).stat().st_mode
    if not (mode & stat.S_IROTH and mode & stat.S_IXOTH):
        return folder
    return None if own_root else layout.hidden_from_others(folder)


def beside(folder: str, hidden: Sequence[str]) -> Iterator[str]:
    """Gives what lies in a directory beside the hidden ones: itself where none of them does."""
    if not any(Path(place).is_relative_to(folder) for place in hidden):
        yield folder
    elif folder not in hidden:
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            if entry.is_dir(follow_symlinks=False):
                yield from beside(entry.path, hidden)
            elif entry.is_file():
                yield entry.path
