"""What a Dockerfile makes, as far as that can be said without building it: a working directory and files put there.

Nothing is built here. Instructions that only copy files from beside the Dockerfile, set variables or say where commands
run are carried out on a tree; the first that wants more, such as a package from a network, is named.
"""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from bai.envs.machines.light import DISTRIBUTIONS
from bai.envs.repository.tree import Tree
from bai.errors import DataError

__all__ = ["Container", "read_dockerfile"]

_WITHOUT_EFFECT = frozenset({"LABEL", "CMD", "ENTRYPOINT", "EXPOSE", "MAINTAINER", "USER", "STOPSIGNAL", "HEALTHCHECK"})
"""Instructions that change no file and no command of a task's."""
_PLAIN_BASES = re.compile(r"(docker\.io/)?(library/)?(python|debian|ubuntu|buildpack-deps)([:@].*)?")
"""Images that hold a system, perhaps with Python, and nothing of a task's: a light machine stands in for them."""
_VARIABLE = re.compile(r"(\w+)=(\"[^\"]*\"|'[^']*'|\S*)")
_OWN_FILES = frozenset({"Dockerfile", ".dockerignore"})


@dataclass(frozen=True, kw_only=True)
class Container:
    """What a task's container is made of."""

    base: str = ""
    """The image that it starts from; empty where there is no Dockerfile, or several images."""
    workdir: str = ""
    """Where commands run; empty where that is for the image to say."""
    variables: dict[str, str] = field(default_factory=dict)
    """What ``ENV`` sets."""
    tree: Tree = field(default_factory=lambda: Tree({}))
    """The files that are copied into the working directory, relative to it."""
    wants: str = ""
    """The first instruction that cannot be carried out without building; empty if there is none."""

    @property
    def starts_plain(self) -> bool:
        """Whether what it starts from holds nothing of the task's."""
        return _PLAIN_BASES.fullmatch(self.base) is not None

    @property
    def is_plain(self) -> bool:
        """Whether a light machine can stand in for it."""
        return not self.wants and bool(self.workdir) and self.starts_plain


def read_dockerfile(folder: Path) -> Container:
    """Reads ``Dockerfile`` of a folder, which is also where files are copied from.

    Raises:
        DataError: It cannot be read.
    """
    path = folder / "Dockerfile"
    if not path.exists():
        return Container(wants="there is no environment/Dockerfile")
    try:
        text = path.read_text(encoding="utf-8")
        context = Tree.from_folder(folder)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}") from error
    reading = _Reading(Tree({name: entry for name, entry in context.items() if name not in _OWN_FILES}))
    if ".dockerignore" in context:
        reading.wants = "a .dockerignore"
    for kind, rest in _instructions(text):
        reading.carry_out(kind, rest)
    return reading.container()


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\s*\n", " ", "\n".join(lines)).splitlines():
        kind, _, rest = line.strip().partition(" ")
        if kind:
            yield kind.upper(), " ".join(rest.split())


class _Reading:
    """The instructions of one file, carried out in their order."""

    def __init__(self, context: Tree) -> None:
        self._context = context
        self._base, self._workdir = "", ""
        self._variables: dict[str, str] = {}
        self._files: dict[str, str] = {}
        """Absolute paths inside, each with its path in the context."""
        self.wants = ""

    def carry_out(self, kind: str, rest: str) -> None:
        """Carries one instruction out, or notes that it cannot be."""
        if kind in _WITHOUT_EFFECT:
            return
        done = {"FROM": self._from, "WORKDIR": self._go, "ENV": self._set, "COPY": self._copy, "RUN": self._run}
        if (kind not in done or "$" in rest or not done[kind](rest)) and not self.wants:
            self.wants = f"{kind} {rest}"[:200]

    def container(self) -> Container:
        """Gives what came of it."""
        below = f"{self._workdir.rstrip('/')}/"
        outside = [path for path in self._files if not path.startswith(below)]
        if outside and self._workdir and not self.wants:
            self.wants = f"COPY to {outside[0]}, which is not below the working directory {self._workdir}"
        inside = {path.removeprefix(below): self._context[name] for path, name in self._files.items()}
        return Container(
            base=self._base,
            workdir=self._workdir,
            variables=self._variables,
            tree=Tree({}) if self.wants or not self._workdir else Tree(inside),
            wants=self.wants,
        )

    def _from(self, rest: str) -> bool:
        first, self._base = not self._base, rest.split(" ")[0]
        return first and not rest.startswith("-")

    def _go(self, rest: str) -> bool:
        self._workdir = posixpath.normpath(posixpath.join(self._workdir or "/", rest.strip("\"'")))
        return True

    def _set(self, rest: str) -> bool:
        pairs = _VARIABLE.findall(rest) or [rest.split(" ", 1)]
        self._variables.update({pair[0]: pair[1].strip("\"'") for pair in pairs if len(pair) == 2})
        return all(len(pair) == 2 for pair in pairs)

    def _copy(self, rest: str) -> bool:
        try:
            words = json.loads(rest) if rest.startswith("[") else shlex.split(rest)
        except ValueError:
            return False
        words = [word for word in words if not word.startswith(("--chown=", "--chmod="))]
        if len(words) < 2 or any(word.startswith("--") for word in words):
            return False
        *sources, target = words
        place = posixpath.normpath(posixpath.join(self._workdir or "/", target))
        into = len(sources) > 1 or target.endswith(("/", ".")) or self._is_folder(place)
        return all(self._copy_one(posixpath.normpath(source.lstrip("/")), place, into=into) for source in sources)

    def _run(self, command: str) -> bool:
        """Whether a command makes directories alone, or installs what a light machine has."""
        parts = [part.split() for part in command.split("&&")]
        return all(words and (words[0] == "mkdir" or self._installs_known(words)) for words in parts)

    def _installs_known(self, words: list[str]) -> bool:
        if words[:2] not in (["pip", "install"], ["pip3", "install"]) or not _PLAIN_BASES.fullmatch(self._base):
            return False
        wanted = [re.split(r"[=<>~!]", word.strip("\"'"))[0].lower() for word in words[2:] if not word.startswith("-")]
        return bool(wanted) and set(wanted) <= set(DISTRIBUTIONS)

    def _is_folder(self, place: str) -> bool:
        return place == self._workdir or any(path.startswith(f"{place}/") for path in self._files)

    def _copy_one(self, source: str, place: str, *, into: bool) -> bool:
        """Copies what a pattern names: of a directory all that is in it, of files each."""
        below = {name: name.removeprefix(f"{source}/") for name in self._context if name.startswith(f"{source}/")}
        if source == ".":
            below = {name: name for name in self._context}
        for name, inner in below.items():
            self._files[posixpath.join(place, inner)] = name
        files = [name for name in self._context if _matches(name, source)]
        for name in files:
            self._files[posixpath.join(place, posixpath.basename(name)) if into else place] = name
        return bool(below or files)


def _matches(name: str, pattern: str) -> bool:
    """Whether a file is named by a pattern, whose stars do not reach into directories."""
    return name.count("/") == pattern.count("/") and fnmatchcase(name, pattern)
