"""The files of a repository at one moment, as a value that cannot change.

A :class:`Tree` is what travels: a trusted one comes from a git source, a library or an image; the agent's comes
out of its sandbox as an archive, is looked at here, on the host, and goes no further than as a difference.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import posixpath
import stat
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from bai.errors import ConfigError, DataError

__all__ = ["Entry", "Tree", "is_inner", "parents_of"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One file or symlink."""

    data: bytes = field(repr=False)
    """Its content; of a symlink, the target."""
    executable: bool = False
    """Whether its owner may run it."""
    link: bool = False
    """Whether it is a symlink."""


class Tree(Mapping[str, Entry]):
    """Files by their paths, relative and with forward slashes; directories are there as far as files lie in them.

    Args:
        entries: The files.

    Raises:
        ConfigError: A path is absolute, leaves the tree, has parts such as ``.`` or over 4096 characters; or a file
            lies where another path has a directory.
    """

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self._entries = dict(sorted(entries.items()))
        for path in self._entries:
            if not is_inner(path):
                raise ConfigError(f"a path of a tree is relative and plain; got {path!r:.200}")
        folders = {parent for path in self._entries for parent in parents_of(path)}
        for path in self._entries:
            if path in folders:
                raise ConfigError(f"{path!r:.200} is a file and a directory at once")

    def __getitem__(self, path: str) -> Entry:
        return self._entries[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __eq__(self, other: object) -> bool:
        return self._entries == other._entries if isinstance(other, Tree) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"Tree({len(self)} files, {self.digest[:12]})"

    @cached_property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of paths, modes and contents."""
        sha = hashlib.sha256()
        for path, entry in self._entries.items():
            name = path.encode("utf-8", "surrogateescape")
            kind = b"l" if entry.link else b"x" if entry.executable else b"-"
            sha.update(b"%d %s %s %d " % (len(name), name, kind, len(entry.data)))
            sha.update(entry.data)
        return sha.hexdigest()

    def changed(self, changes: Mapping[str, Entry | None]) -> Tree:
        """Gives a tree in which some files are others, or, where None, gone."""
        entries = {**self._entries, **changes}
        return Tree({path: entry for path, entry in entries.items() if entry is not None})

    def changes_to(self, other: Tree) -> dict[str, Entry | None]:
        """Gives what :meth:`changed` would need to make ``other`` of this tree."""
        paths = sorted({*self, *other})
        return {path: other.get(path) for path in paths if self.get(path) != other.get(path)}

    def text(self, path: str) -> str:
        """Gives a file's content as text, bytes that are no UTF-8 as surrogates."""
        return self._entries[path].data.decode("utf-8", "surrogateescape")

    # In and out.

    @classmethod
    def from_folder(cls, folder: Path, *, leave_out: frozenset[str] = frozenset({".git"})) -> Tree:
        """Reads a directory of this machine; names in ``leave_out`` are passed over wherever they are.

        Raises:
            DataError: It is no directory, or holds what is neither a file nor a symlink nor a directory.
        """
        if not folder.is_dir():
            raise DataError(f"expected a directory of files; {folder} is none")
        entries: dict[str, Entry] = {}
        for here, folders, files in os.walk(folder):
            folders[:] = sorted(set(folders) - leave_out)
            linked = [name for name in folders if (Path(here) / name).is_symlink()]
            for name in (*files, *linked):
                if name not in leave_out:
                    path = Path(here) / name
                    entries[path.relative_to(folder).as_posix()] = _read(path)
        return cls(entries)

    @classmethod
    def from_archive(cls, archive: bytes, *, below: str = "") -> Tree:
        """Reads an uncompressed tar; with ``below``, only what lies under that directory, relative to it.

        Raises:
            DataError: It is no tar, or holds a path that leaves it, a device, a sparse file, a hard link to what is
                not before it, or a file where another path has a directory.
        """
        entries: dict[str, Entry] = {}
        try:
            with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as opened:
                for member in opened:
                    if not member.isdir():
                        entries[posixpath.normpath(member.name)] = _unpacked(opened, member, entries)
            if below:
                under = f"{below}/"
                entries = {path.removeprefix(under): entries[path] for path in entries if path.startswith(under)}
            return cls(entries)
        except (tarfile.TarError, ValueError, OverflowError, RecursionError) as error:  # from hostile headers
            raise DataError(f"expected a tar archive of a tree: {error}") from error

    @classmethod
    def from_gzip(cls, path: Path, *, most: int) -> Tree:
        """Reads a ``.tar.gz``, never more than ``most`` bytes of what it unpacks to.

        Raises:
            DataError: It is absent, no whole gzip file, larger, or no archive as :meth:`from_archive` wants it.
        """
        try:
            with gzip.open(path) as file:
                archive = file.read(most + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"the tree in {path} cannot be read: {error}") from error
        if len(archive) > most:
            raise DataError(f"the tree in {path} holds more than {most} bytes")
        return cls.from_archive(archive)

    def archive(self, *, below: str = "") -> bytes:
        """Gives an uncompressed tar, the same for equal trees; with ``below``, under that directory."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
            made: set[str] = set()
            for path, entry in self._entries.items():
                full = f"{below}/{path}" if below else path
                for parent in reversed(parents_of(full)):
                    if parent not in made:
                        made.add(parent)
                        archive.addfile(_member(parent, tarfile.DIRTYPE, 0o755))
                archive.addfile(_packed(full, entry), io.BytesIO(b"" if entry.link else entry.data))
        return buffer.getvalue()

    def write(self, folder: Path) -> None:
        """Writes the files below a directory of this machine, making it; for trusted trees."""
        folder.mkdir(parents=True, exist_ok=True)
        for path, entry in self._entries.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if entry.link:
                target.symlink_to(entry.data.decode("utf-8", "surrogateescape"))
            else:
                target.write_bytes(entry.data)
                target.chmod(0o755 if entry.executable else 0o644)


_MOST_PATH = 4096
"""Characters of a path: no file system here takes more, and the directories of a longer one could fill the memory."""


def is_inner(path: str) -> bool:
    """Whether a path is one that a tree may hold."""
    return (
        0 < len(path) <= _MOST_PATH
        and "\0" not in path
        and all(part not in ("", ".", "..") for part in path.split("/"))
    )


def parents_of(path: str) -> list[str]:
    """Gives the directories that lead to a path, the nearest first."""
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(len(parts) - 1, 0, -1)]


def _read(path: Path) -> Entry:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return Entry(data=os.fsencode(path.readlink()), link=True)
    if not stat.S_ISREG(mode):
        raise DataError(f"a repository holds files, symlinks and directories; {path} is none of them")
    return Entry(data=path.read_bytes(), executable=bool(mode & stat.S_IXUSR))


def _unpacked(opened: tarfile.TarFile, member: tarfile.TarInfo, before: Mapping[str, Entry]) -> Entry:
    if member.issym():
        return Entry(data=member.linkname.encode("utf-8", "surrogateescape"), link=True)
    if member.islnk():
        # Shared, not read again: a file with a thousand names takes its size once.
        if (linked := before.get(posixpath.normpath(member.linkname))) is None:
            raise tarfile.TarError(f"{member.name!r:.200} is a hard link to what is not there")
        return linked
    if not member.isreg() or member.issparse():  # a sparse file may claim any size
        raise tarfile.TarError(f"{member.name!r:.200} is neither a plain file nor a symlink nor a directory")
    file = opened.extractfile(member)
    assert file is not None
    return Entry(data=file.read(), executable=bool(member.mode & stat.S_IXUSR))


def _member(path: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(path)
    member.type, member.mode = kind, mode
    return member


def _packed(path: str, entry: Entry) -> tarfile.TarInfo:
    if entry.link:
        member = _member(path, tarfile.SYMTYPE, 0o777)
        member.linkname = entry.data.decode("utf-8", "surrogateescape")
        return member
    member = _member(path, tarfile.REGTYPE, 0o755 if entry.executable else 0o644)
    member.size = len(entry.data)
    return member
