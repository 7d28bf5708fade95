"""What candidates have written: counted by the file system where it is theirs alone, else file by file."""

# Single system calls throughout: a pathlib in between would hide them.
# ruff: noqa: PTH101, PTH118, PTH208
from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from . import wire

__all__ = ["Disk"]


@dataclass
class Disk:
    """The directories that the candidates of one sandbox write."""

    counted: int = 0
    """Bytes that the file system of a branch held when that branch's files were last counted."""

    def over(self, config: dict[str, Any], tick: int, baseline: tuple[int, int]) -> wire.End | None:
        """Looks at what one branch's directories hold; says whether that is too much.

        What lay there before (``baseline``) is not held against this execution. Where it has to be counted file by
        file, only every tenth look counts, and one after which the branches together hold much more.
        """
        if not config["own_disk"] and tick % 10 and not self._has_swollen(config):
            return None
        bounds = (config["limits"]["disk_bytes"], config["inodes"])
        used = zip(self.use(config), bounds, baseline, strict=True)
        return wire.End.OVERFLOW if any(now > max(limit, before) for now, limit, before in used) else None

    def _has_swollen(self, config: dict[str, Any]) -> bool:
        """Whether the file system of a branch holds much more than when a branch's files were last counted."""
        return bool(
            _used(config["branches"] or config["scratch"][0]) - self.counted > config["limits"]["disk_bytes"] // 2
        )

    def use(self, config: dict[str, Any]) -> tuple[int, int]:
        """Bytes and files in the directories that candidates write; of a file system's own, it keeps the bytes."""
        if not config["own_disk"]:
            self.counted = _used(config["branches"] or config["scratch"][0])
            return _size_of(config["scratch"], config["inodes"])
        found = [os.statvfs(folder) for folder in config["scratch"]]
        return 0, max(entry.f_files - entry.f_ffree for entry in found)


def _used(folder: str) -> int:
    """Bytes of the file system that a folder lies in."""
    found = os.statvfs(folder)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


def _unlock(folder: str) -> bool:
    """Opens a directory to its owner again; tells whether that helps."""
    try:
        os.chmod(folder, 0o700)
        os.scandir(folder).close()
    except OSError:
        return False
    return True


def _size_of(places: Iterable[str], most_entries: int) -> tuple[int, int]:
    """Bytes and entries below directories; counting stops beyond ``most_entries``.

    A tree too deep to be looked at counts as too many entries; one that a candidate of this user has closed at its root
    is opened. No recursion: its depth is the candidate's choice.
    """
    total = count = 0
    places = frozenset(places)
    folders = list(places)
    while folders and count <= most_entries:
        try:
            names = os.listdir(here := folders.pop())
        except PermissionError:
            if here in places and _unlock(here):
                folders.append(here)
            continue
        except OSError as error:
            count += most_entries + 1 if error.errno == errno.ENAMETOOLONG else 0
            continue
        count += len(names)
        for path in [os.path.join(here, name) for name in names]:
            try:
                found = os.lstat(path)
            except OSError:
                continue
            if stat.S_ISDIR(found.st_mode):
                folders.append(path)
            else:
                total += found.st_blocks * 512
    return total, count
