"""A built environment: a virtual environment on the host, which sandboxes show read-only, and what is known of it.

It can lie anywhere: its programs find the interpreter beside them, and its imports find the repository's tree in the
workspace, wherever that is.
"""

from __future__ import annotations

import dataclasses
import json
import posixpath
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bai.envs.sandbox import layout

__all__ = ["BELOW", "FACTS", "ROOT", "Environment", "configuration", "finish", "site_packages"]

BELOW = "testbed"
"""The repository's directory, relative to the workspace; beside it is room for what tests leave in their home."""
ROOT = f"{layout.WORKSPACE}/{BELOW}"
"""The same, where the workspace has its usual place."""
FACTS = "environment.json"
"""File in which :class:`Environment` is kept."""
_SCRIPT_START = b"#!/bin/sh\n'''exec' \"$(dirname -- \"$0\")/python\" \"$0\" \"$@\"\n' '''\n"
"""First lines of a program of Python's that is run by the interpreter beside it: a shell reads them as a command, and
Python as a string."""
_START = re.compile(rb"#![^\n]*python[^\n]*\n|#!/bin/sh\n'''exec' [^\n]*\n' '''\n")
"""First lines as installers write them; the second, where the interpreter's path is long."""
_TREE = '''"""Puts the repository's tree on the import path, as an editable installation does."""
import os
import sys

_root = {root!r}
if not os.path.isdir(_root):
    # A sandbox without a file system of its own: its workspace is its home.
    _root = os.path.join(os.environ.get("HOME", "/"), {below!r})
sys.path += [os.path.normpath(os.path.join(_root, folder)) for folder in {imports!r}]
'''


@dataclass(frozen=True, kw_only=True)
class Environment:
    """An interpreter with packages, as they were installed."""

    key: str
    """Name of its folder; the same for equal environments."""
    folder: str
    """Where it lies on this machine, without symlinks on the way."""
    python: str
    """The interpreter's version, such as ``3.9.18``."""
    prefix: str
    """Where its standard library lies."""
    program: str
    """The interpreter itself."""
    wanted: str
    """The version that the specification names, such as ``3.9``."""
    distribution: str = ""
    """The project, or an empty string where there is none."""
    imports: tuple[str, ...] = ()
    """Directories of the tree, relative to it, from which the project is imported."""
    packages: tuple[str, ...] = ()
    """What is installed, as ``name==version``."""
    generated: tuple[str, ...] = ()
    """Files that the installation wrote into the tree; they lie in the folder ``generated``."""

    @property
    def as_specified(self) -> bool:
        """Whether the interpreter is of the version that the specification names."""
        return self.python.rpartition(".")[0] == self.wanted

    def save(self, folder: Path) -> None:
        """Writes it into a folder."""
        text = json.dumps(dataclasses.asdict(self), indent=1)
        (folder / FACTS).write_text(text, encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Environment:
        """Reads what :meth:`save` wrote; it lies where it is found."""
        table = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in table.items()
        }
        return cls(**{**plain, "folder": str(folder)})


def site_packages(folder: Path, version: str) -> Path:
    """Where an environment's packages lie."""
    return folder / "lib" / f"python{version.rpartition('.')[0]}" / "site-packages"


def configuration(program: str, version: str) -> str:
    """The text of an environment's ``pyvenv.cfg``, by which an interpreter knows where its own files are."""
    home = posixpath.dirname(program)
    return f"home = {home}\ninclude-system-site-packages = false\nversion = {version}\n"


def finish(folder: Path, version: str, imports: tuple[str, ...]) -> None:
    """Makes an environment independent of its place, open to readers, and importing from the tree."""
    site = site_packages(folder, version)
    if imports:
        text = _TREE.format(root=ROOT, below=BELOW, imports=imports)
        (site / "_bai_tree.py").write_text(text, encoding="utf-8")
        (site / "_bai_tree.pth").write_text("import _bai_tree\n", encoding="utf-8")
    for path in sorted((folder / "bin").iterdir()):
        if path.name.startswith("activate") or path.name == "Activate.ps1":
            path.unlink()
        elif not path.is_symlink():
            _free(path)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    folder.chmod(0o755)


def _free(program: Path) -> None:
    """Has a program run by the interpreter beside it rather than by one at a fixed place."""
    text = program.read_bytes()
    start = _START.match(text)
    if start is not None:
        program.write_bytes(_SCRIPT_START + text[start.end() :])
