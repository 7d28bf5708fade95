"""A base image made of Debian's packages, for machines that no image registry answers.

``debootstrap`` makes a minimal system from the same archive that the machine's own packages
come from, as apt's settings name it.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bai.errors import SandboxUnavailable

__all__ = ["Archive", "archives", "find_archive", "make_base"]

INSTALL = "apt-get install debootstrap"
_NEEDLESS = (
    *("var/cache/apt", "var/lib/apt/lists", "var/log", "usr/share/doc", "usr/share/man", "usr/share/locale"),
    # What Perl's own package has beyond the minimum: git brings it for commands that send mail or talk to Subversion.
    *("usr/share/perl", "usr/lib/*/perl"),
)
"""Folders of the new system whose content no sandbox needs."""


class Archive(NamedTuple):
    """A source of packages that apt uses."""

    place: str
    """Its address."""
    suites: tuple[str, ...]
    """Such as ``bookworm``."""
    components: tuple[str, ...]
    """Such as ``main``."""


def make_base(client: Any, name: str, packages: Sequence[str], tell: Callable[[str], None]) -> None:
    """Makes a minimal system with ``packages`` and imports it as the image ``name``.

    Args:
        client: The SDK's client of the engine.
        name: Repository and tag.
        packages: Debian packages beyond the minimum.
        tell: Hears each step, as one line.

    Raises:
        SandboxUnavailable: debootstrap is absent, not allowed, or failed; the message says which.
    """
    suite, place = _debian_suite(), ""
    reason = _why_not(suite)
    if reason is None:
        place = find_archive(suite)
        reason = None if place else f"apt's settings name no archive of {suite}"
    if reason is not None:
        raise SandboxUnavailable(f"no registry answers, and a base image cannot be made of Debian's packages: {reason}")
    with tempfile.TemporaryDirectory(prefix="bai-image-") as folder:
        root, archive = Path(folder, "root"), Path(folder, "root.tar")
        tell(f"no registry: making a base of Debian's packages ({suite}) with debootstrap, which takes minutes")
        try:
            _run(["debootstrap", "--variant=minbase", f"--include={','.join(packages)}", suite, str(root), place], tell)
            _slim(root)
            _run(["tar", "-C", str(root), "--numeric-owner", "-cf", str(archive), "."], tell)
        finally:
            # Also here: as TemporaryDirectory is not written for a tree with mounts in it.
            _unmount(root)
        tell(f"importing {archive.stat().st_size >> 20} MiB as {name}")
        repository, _, tag = name.rpartition(":")
        client.import_image_from_file(str(archive), repository=repository, tag=tag)


def _debian_suite() -> str:
    """Code name of this machine's release, as ``bookworm``; empty if it is no Debian."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return ""
    return release.get("VERSION_CODENAME", "") if "debian" in (release["ID"], release.get("ID_LIKE", "")) else ""


def _why_not(suite: str) -> str | None:
    if not suite:
        return "this machine runs no Debian"
    if shutil.which("debootstrap") is None:
        return f"debootstrap is not installed; run: {INSTALL}"
    return None if os.geteuid() == 0 else "debootstrap needs root; run as root: bai sandbox build"


def find_archive(suite: str, settings: Path = Path("/etc/apt")) -> str:
    """Gives the address of the archive that apt takes ``suite`` from, or an empty string."""
    for archive in archives(settings):
        if suite in archive.suites and "main" in archive.components:
            return archive.place
    return ""


def archives(settings: Path) -> Iterator[Archive]:
    """Reads apt's sources, those of one line each and those of paragraphs."""
    folder = settings / "sources.list.d"
    for path in (settings / "sources.list", *sorted(folder.glob("*.list"))):
        if path.is_file():
            yield from filter(None, map(_of_line, path.read_text(encoding="utf-8").splitlines()))
    for path in sorted(folder.glob("*.sources")):
        for paragraph in path.read_text(encoding="utf-8").split("\n\n"):
            yield from _of_paragraph(paragraph)


def _of_line(line: str) -> Archive | None:
    """``deb [options] ADDRESS SUITE COMPONENT...``."""
    kind, _, rest = line.strip().partition(" ")
    if kind != "deb":
        return None
    if rest.lstrip().startswith("["):
        rest = rest.partition("]")[2]
    place, suite, *components = rest.split() if len(rest.split()) > 1 else ("", "")
    return Archive(place, (suite,), tuple(components)) if place else None


def _of_paragraph(paragraph: str) -> Iterator[Archive]:
    """``Types:``, ``URIs:``, ``Suites:`` and ``Components:``, each with words behind it."""
    fields = {}
    for line in paragraph.splitlines():
        name, colon, words = line.partition(":")
        if colon and not line.startswith(("#", " ")):
            fields[name] = words.split()
    if "deb" in fields.get("Types", ()) and "no" not in fields.get("Enabled", ()):
        for place in fields.get("URIs", ()):
            yield Archive(place, tuple(fields.get("Suites", ())), tuple(fields.get("Components", ())))


def _run(command: list[str], tell: Callable[[str], None]) -> None:
    """Runs a program, passing its lines on.

    Raises:
        SandboxUnavailable: It failed; the message has its last lines.
    """
    said: list[str] = []
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said = [*said[-4:], line.strip()]
            tell(line.strip())
    if process.returncode:
        raise SandboxUnavailable(f"{command[0]} failed with code {process.returncode}: {'; '.join(said)}")


def _slim(root: Path) -> None:
    for folder in _NEEDLESS:
        for path in sorted(root.glob(f"{folder}/*")):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def _unmount(root: Path) -> None:
    """Undoes mounts that an interrupted debootstrap left."""
    for line in reversed(Path("/proc/mounts").read_text(encoding="utf-8").splitlines()):
        place = line.split()[1]
        if Path(place).is_relative_to(root):
            subprocess.run(["umount", "--lazy", place], check=False, stderr=subprocess.DEVNULL)
