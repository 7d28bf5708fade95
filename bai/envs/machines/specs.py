"""What a public repository's tests need, as data: one file a repository in ``bai/assets/specs``.

The facts (interpreters, packages, commands) are those of SWE-bench 4.1.0, the last release that carries them. Where
packages are listed in the repository's own files, a specification names the files.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from bai.envs.repository.tree import Entry, Tree
from bai.errors import SandboxUnavailable

__all__ = ["Edit", "Spec", "edited", "find_spec", "known_specs"]


_EDITS = ("edits", "build_edits", "package_edits")


@dataclass(frozen=True, kw_only=True)
class Edit:
    """A change to a file of the tree: in each line, the first ``find`` becomes ``put``."""

    path: str
    """The file, relative to the tree; where it is absent, nothing happens."""
    find: str
    """What is replaced."""
    put: str
    """By what."""


@dataclass(frozen=True, kw_only=True)
class Spec:
    """The environment of one version of a public repository."""

    repo: str
    """``owner/name``."""
    version: str
    """Such as ``2.3``."""
    distribution: str
    """What the project is called as a distribution."""
    python: str
    """The interpreter's version, such as ``3.9``."""
    also: tuple[str, ...] = ()
    """Other versions under which the tests are expected to do the same."""
    packages: tuple[str, ...] = ()
    """Requirements installed first."""
    requirements: tuple[str, ...] = ()
    """Files of the repository that list requirements; the first that is there counts."""
    leave_out: tuple[str, ...] = ()
    """Distributions of those files that are not installed."""
    pip_packages: tuple[str, ...] = ()
    """Requirements, pinned as a rule, installed after those."""
    extras: tuple[str, ...] = ()
    """Extras of the project itself."""
    install: str
    """The command that installs the project in SWE-bench's images."""
    test_command: str
    """Shell command, run in the repository's directory, to which files or labels are appended."""
    log_parser: str
    """Name of the reader of its output in ``swebench``'s registry."""
    before: tuple[str, ...] = ()
    """Shell commands run before the tests."""
    edits: tuple[Edit, ...] = ()
    """Changes to the tree."""
    build_edits: tuple[Edit, ...] = ()
    """Changes to the copy of the tree that the project is installed from, which no test sees."""
    package_edits: tuple[Edit, ...] = ()
    """Changes to installed packages, relative to where they lie."""
    generates: tuple[str, ...] = ()
    """Files that the installation writes into the tree."""
    says_version: bool = False
    """Whether the project's version comes from git tags, so that the installation must be told."""
    system: tuple[str, ...] = ()
    """Programs of the system that some tests want, and skip themselves or fail without."""


def edited(tree: Tree, edits: Sequence[Edit]) -> Tree:
    """Makes changes to a tree: in each line, the first place alone."""
    for edit in edits:
        if edit.path in tree:
            lines = tree[edit.path].data.splitlines(keepends=True)
            text = b"".join(line.replace(edit.find.encode(), edit.put.encode(), 1) for line in lines)
            tree = tree.changed({edit.path: Entry(data=text, executable=tree[edit.path].executable)})
    return tree


def find_spec(repo: str, version: str) -> Spec:
    """Gives what a version of a repository needs.

    Raises:
        SandboxUnavailable: It is not described; the message names the versions that are.
    """
    known = known_specs()
    found = known.get((repo, version))
    if found is None:
        versions = [each for name, each in known if name == repo]
        told = f"described are {', '.join(versions)}" if versions else f"described are {_repositories()}"
        raise SandboxUnavailable(f"what {repo} {version} needs is not described; {told}")
    return found


@functools.cache
def known_specs() -> Mapping[tuple[str, str], Spec]:
    """Gives all specifications by repository and version."""
    folder = Path(__file__).parents[2] / "assets" / "specs"
    found = {}
    for path in sorted(folder.glob("*.toml")):
        shared = tomllib.loads(path.read_text(encoding="utf-8"))
        for own in shared.pop("versions"):
            for version in own.pop("versions"):
                spec = _read({**shared, **own, "version": version})
                found[spec.repo, spec.version] = spec
    return found


def _read(table: dict[str, Any]) -> Spec:
    edits = {name: tuple(Edit(**edit) for edit in table.pop(name, ())) for name in _EDITS}
    plain: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in table.items()}
    assert plain.keys() <= {field.name for field in fields(Spec)}, plain.keys()
    return Spec(**{**plain, **edits})


def _repositories() -> str:
    return ", ".join(sorted({repo for repo, _ in known_specs()}))
