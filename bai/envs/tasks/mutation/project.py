"""A project to make tasks from: its files, where its packages and tests are, and what it needs."""

from __future__ import annotations

import re
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.parser import Parser
from pathlib import Path
from typing import Self

from bai.envs.machines.pip import run_pip
from bai.envs.repository.left_behind import LEFT_OUT
from bai.envs.repository.tree import Tree
from bai.envs.tasks.mutation.layouts import compiled_files, find_modules, find_packages, find_tests
from bai.envs.tasks.mutation.pins import resolve
from bai.errors import DataError

__all__ = ["Project"]

_METADATA = re.compile(r"(^|/)([^/]*\.egg-info/|PKG-INFO$)")
_PINNED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9][A-Za-z0-9.!+_-]*)")
_MOST_BYTES = 200 * 2**20


@dataclass(frozen=True, kw_only=True)
class Project:
    """A pure-Python project with tests."""

    name: str
    """What it is called, such as ``inflection``; the first part of its tasks' names."""
    version: str
    """Such as ``0.5.1``."""
    repo: str
    """``library/NAME`` or ``package/NAME``."""
    tree: Tree
    """Its files."""
    packages: tuple[str, ...]
    """Paths of its packages and modules, such as ``src/inflection``."""
    tests: tuple[str, ...]
    """What pytest is told to run."""
    requires: tuple[str, ...] = ()
    """What it and its tests need besides pytest, as ``name==version``."""
    origin: Mapping[str, str] = field(default_factory=dict)
    """``library`` for one of the shipped set; empty where its tree has to be kept beside the rows."""

    @property
    def python_path(self) -> tuple[str, ...]:
        """Directories that it is imported from, the root left out."""
        return tuple(sorted({place.rpartition("/")[0] for place in self.packages} - {""}))

    @property
    def needs(self) -> dict[str, str]:
        """What its tasks' ``origin`` says of that; empty where it needs nothing."""
        return {"requires": " ".join(self.requires)} if self.requires else {}

    @property
    def import_names(self) -> tuple[str, ...]:
        """Names that it is imported by."""
        return tuple(place.rpartition("/")[2].removesuffix(".py") for place in self.packages)

    @property
    def modules(self) -> dict[str, bytes]:
        """Sources of its own modules, without tests, by path."""
        return {path: self.tree[path].data for path in find_modules(self.tree, self.packages)}

    @classmethod
    def from_path(cls, folder: Path, *, library: bool = False) -> Self:
        """Takes a directory of this machine.

        Args:
            folder: Its root, where ``pyproject.toml`` or ``setup.py`` would be.
            library: Whether it is one of the shipped libraries, so that its rows name it rather than keep its files.

        Raises:
            DataError: It is no directory, or has no package, no tests, or parts that are not pure Python.
        """
        folder = Path(folder)
        tree = Tree.from_folder(folder, leave_out=LEFT_OUT)
        about = _about(tree)
        name = folder.resolve().name if library else str(about.get("name") or folder.resolve().name)
        return cls._of(tree, name, str(about.get("version") or "0"), library=library)

    @classmethod
    def from_package(cls, requirement: str, *, tests_require: tuple[str, ...] = ()) -> Self:
        """Fetches the source distribution of ``NAME==VERSION`` with pip.

        To learn its name, pip asks the distribution's build backend for metadata, and so runs code of the
        distribution and of what builds it, on this machine and as this user. Its tests run in sandboxes only.

        Args:
            requirement: Name and version.
            tests_require: What its tests need besides.

        Raises:
            DataError: No such distribution, no source of it, or one without tests, or it or something that it needs
                is not pure Python.
            InfraError: pip cannot be run, or takes too long.
        """
        pinned = _PINNED.fullmatch(requirement.strip())
        if pinned is None:
            raise DataError(f"a package is named as NAME==VERSION; got {requirement!r:.200}")
        name, version = pinned.groups()
        tree = _fetch(name, version)
        requires = resolve((*_requirements(tree), *tests_require), name)
        kept = Tree({path: entry for path, entry in tree.items() if not _METADATA.search(path)})
        return cls._of(kept, name, version, requires=requires)

    @classmethod
    def _of(cls, tree: Tree, name: str, version: str, *, requires: tuple[str, ...] = (), library: bool = False) -> Self:
        packages = find_packages(tree)
        if not packages:
            raise DataError(
                f"{name} has no package: expected a folder with __init__.py, or a module, at its root or in src"
            )
        if compiled := compiled_files(tree, packages):
            raise DataError(f"{name} is not pure Python: it has {compiled[0]}")
        tests = find_tests(tree)
        if not tests:
            raise DataError(
                f"{name} has no tests: expected files named test_*.py or *_test.py among its {len(tree)} files"
            )
        return cls(
            name=name,
            version=version,
            repo=f"{'library' if library else 'package'}/{name}",
            tree=tree,
            packages=packages,
            tests=tests,
            requires=requires,
            origin={"library": name} if library else {},
        )


def _about(tree: Tree) -> dict[str, object]:
    if "pyproject.toml" not in tree:
        return {}
    try:
        found = tomllib.loads(tree.text("pyproject.toml")).get("project", {})
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"pyproject.toml cannot be read: {error}") from error
    return found if isinstance(found, dict) else {}


def _fetch(name: str, version: str) -> Tree:
    with tempfile.TemporaryDirectory(prefix="bai-sdist-") as folder:
        failed = f"pip cannot fetch a source distribution of {name}=={version}"
        run_pip(
            ["download", "--no-deps", "--no-binary", ":all:", "--dest", folder, f"{name}=={version}"], failed=failed
        )
        found = sorted(Path(folder).iterdir())
        if not found:
            raise DataError(f"{failed}: it said nothing")
        return _unpack(found[0])


def _unpack(file: Path) -> Tree:
    if not file.name.endswith(".tar.gz"):
        raise DataError(f"expected a source distribution in a .tar.gz; got {file.name}")
    return _below_top(Tree.from_gzip(file, most=_MOST_BYTES))


def _below_top(tree: Tree) -> Tree:
    """A source distribution's files without the one directory that all of them lie in."""
    return Tree({path.partition("/")[2]: entry for path, entry in tree.items() if "/" in path})


def _requirements(tree: Tree) -> tuple[str, ...]:
    """What the distribution requires, without its extras; older ones say it in a list beside their metadata alone."""
    about = tree.text("PKG-INFO") if "PKG-INFO" in tree else ""
    if found := Parser().parsestr(about).get_all("Requires-Dist"):
        return tuple(wanted for wanted in found if "extra ==" not in wanted)
    lists = [tree.text(path) for path in tree if path.endswith(".egg-info/requires.txt")]
    always = "".join(lists[:1]).partition("[")[0]
    return tuple(line.strip() for line in always.splitlines() if line.strip())
