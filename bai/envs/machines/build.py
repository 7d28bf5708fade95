"""Builds environments with pip, once each, into the cache.

Building runs the setup code of the project and of what it depends on, on this machine and as this user, as pip does
everywhere; afterwards nothing is ever installed again. The project itself leaves its metadata and its programs in the
environment; its code comes from the tree in the workspace, so that there is no other copy of it, of any version.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

from bai.envs.machines.cache import make_once
from bai.envs.machines.environment import Environment, finish, site_packages
from bai.envs.machines.interpreters import Interpreter
from bai.envs.machines.pip import plain_name
from bai.envs.machines.specs import Spec, edited
from bai.envs.repository.tree import Tree
from bai.errors import InfraError

__all__ = ["build_environment", "environment_key", "requirements_of"]

GENERATION = 1
"""Counts the ways in which environments were built; part of their keys."""
BUILD_TOOLS = ("setuptools<71", "wheel<0.46")
"""What builds projects of these years: later ones have dropped what their setup files use."""
STEP_S = 1800.0
"""Seconds that one step of pip's may take."""
_IMPORT_FOLDERS = ("", "src", "lib")
_BUILT = re.compile(r"(^|/)(build|dist|\.eggs|__pycache__|[^/]*\.egg-info|\.git)(/|$)")
_NOT_PASSED_ON = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_REQUIRE_VENV")


def build_environment(spec: Spec, interpreter: Interpreter, tree: Tree, cache: Path) -> Environment:
    """Gives the environment of one version of a repository on one interpreter, building it where it is absent.

    Args:
        spec: What it needs.
        interpreter: What runs it.
        tree: The repository at a commit of that version: its requirements and its metadata are used.
        cache: The folder that machines are kept in.

    Raises:
        InfraError: It could not be built; the message has pip's last lines and names the log.
    """
    key = environment_key(spec, interpreter, tree)
    place = cache / "environments" / key
    log = place.with_name(f"{key}.log")

    def build(draft: Path) -> None:
        _Build(spec, interpreter, tree, draft, log).run(key)
        log.unlink(missing_ok=True)

    make_once(place, build)
    return Environment.read(place)


def environment_key(spec: Spec, interpreter: Interpreter, tree: Tree) -> str:
    """Names the environment: the same for trees with the same requirements."""
    parts = (GENERATION, BUILD_TOOLS, asdict(spec), asdict(interpreter), requirements_of(spec, tree))
    digest = hashlib.sha256(repr(parts).encode()).hexdigest()[:12]
    return f"{spec.repo.replace('/', '__')}-{spec.version}-py{interpreter.minor}-{digest}"


def requirements_of(spec: Spec, tree: Tree) -> list[str]:
    """Lists the requirements that the repository's own files name, files that they include too.

    Raises:
        InfraError: The specification names files, and none of them is in the tree.
    """
    if not spec.requirements:
        return []
    for path in spec.requirements:
        if path in tree:
            unwanted = {plain_name(name) for name in (*spec.leave_out, spec.distribution)}
            lines = dict.fromkeys(_requirements(tree, path, set()))
            return [line for line in lines if plain_name(re.split(r"[^\w.-]", line, maxsplit=1)[0]) not in unwanted]
    raise InfraError(
        f"{spec.repo} {spec.version} lists its requirements in {' or '.join(spec.requirements)}: not there"
    )


def _requirements(tree: Tree, path: str, seen: set[str]) -> Iterator[str]:
    seen.add(path)
    for raw in tree.text(path).replace("\\\n", " ").splitlines():
        line = re.sub(r"(^|\s)#.*", "", raw).strip()
        included = re.match(r"(?:-r|--requirement)[ =]*(\S+)", line)
        if included:
            inner = os.path.normpath(Path(path).parent / included[1])
            if inner in tree and inner not in seen:
                yield from _requirements(tree, inner, seen)
        elif line and not line.startswith(("-", ".")):
            yield re.sub(r"\s--hash=\S+", "", line).strip()


class _Build:
    """The building of one environment, in a folder that gets its name afterwards."""

    def __init__(self, spec: Spec, interpreter: Interpreter, tree: Tree, folder: Path, log: Path) -> None:
        self.spec, self.interpreter, self.tree, self.folder, self.log = spec, interpreter, tree, folder, log
        self.site = site_packages(folder, interpreter.version)
        self.label = f"{spec.repo} {spec.version} on Python {interpreter.version}"
        self.isolated = "build-system" in _pyproject(tree)

    def run(self, key: str) -> None:
        self.log.unlink(missing_ok=True)
        self._run([self.interpreter.path, "-m", "venv", str(self.folder)])
        with tempfile.TemporaryDirectory(prefix="bai-build-") as scratch:
            source = Path(scratch) / "tree"
            edited(self.tree, self.spec.build_edits).write(source)
            self._install(source, Path(scratch))
            generated = self._generated(source)
        self._edit_packages()
        names = self._keep_metadata_only()
        imports = self._imports(names)
        # Nothing can be compiled where it is shown read-only; a file that is no Python of this version stays as it is.
        self._run([self._python, "-m", "compileall", "-q", "-o", "0", str(self.site)], tolerant=True)
        finish(self.folder, self.interpreter.version, imports)
        Environment(
            key=key,
            folder=str(self.folder),
            python=self.interpreter.version,
            prefix=self.interpreter.prefix,
            program=self.interpreter.path,
            wanted=self.spec.python,
            distribution=self.spec.distribution,
            imports=imports,
            packages=self._packages(),
            generated=generated,
        ).save(self.folder)

    def _install(self, source: Path, scratch: Path) -> None:
        constraints = scratch / "constraints.txt"
        constraints.write_text("\n".join(BUILD_TOOLS) + "\n", encoding="utf-8")
        told = {"PIP_CONSTRAINT": str(constraints)}
        if self.isolated:
            # Newer releases of pip have renamed what holds while a project is built, and refuse it where nothing is
            # built apart.
            told["PIP_BUILD_CONSTRAINT"] = str(constraints)
        if self.spec.says_version:
            name = re.sub(r"[-_.]+", "_", self.spec.distribution).upper()
            told[f"SETUPTOOLS_SCM_PRETEND_VERSION_FOR_{name}"] = f"{self.spec.version}.0"
        # The one that an interpreter brings may take hours over requirements without pins.
        self._pip(["pip"], told, "--upgrade")
        if not self.isolated:
            self._pip(BUILD_TOOLS, told)
        for wanted in ((*self.spec.packages, *requirements_of(self.spec, self.tree)), self.spec.pip_packages):
            if wanted:
                self._pip(wanted, told)
        extras = f"[{','.join(self.spec.extras)}]" if self.spec.extras else ""
        options = ["--no-compile", *([] if self.isolated else ["--no-build-isolation"])]
        self._pip([f"{source}{extras}"], told, *options)

    def _pip(self, wanted: Sequence[str], told: dict[str, str], *options: str) -> None:
        command = [self._python, "-m", "pip", "install", "--no-input", "--disable-pip-version-check", *options, *wanted]
        self._run(command, told)

    @property
    def _python(self) -> str:
        return str(self.folder / "bin" / "python")

    def _run(self, command: list[str], told: dict[str, str] | None = None, *, tolerant: bool = False) -> None:
        """Runs one step, its output in the log.

        Raises:
            InfraError: It failed, or took too long.
        """
        environment = {name: value for name, value in os.environ.items() if name not in _NOT_PASSED_ON}
        with self.log.open("ab") as log:
            log.write(f"$ {' '.join(command)}\n".encode())
            log.flush()
            try:
                done = subprocess.run(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env={**environment, **(told or {})},
                    cwd="/",
                    umask=0o022,
                    timeout=STEP_S,
                    check=False,
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                raise InfraError(f"the environment of {self.label} could not be built: {error}") from error
        if done.returncode and not tolerant:
            said = [
                line for line in self.log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()
            ]
            raise InfraError(
                f"the environment of {self.label} could not be built: {' '.join(command[1:4])} failed: "
                f"{'; '.join(line.strip() for line in said[-3:])[-500:]} (all of it in {self.log})"
            )

    def _edit_packages(self) -> None:
        for edit in self.spec.package_edits:
            place = self.site / edit.path
            if not place.is_file() or edit.find not in (text := place.read_text(encoding="utf-8")):
                raise InfraError(f"{edit.path} of the packages of {self.label} is not as it is known")
            place.write_text(text.replace(edit.find, edit.put), encoding="utf-8")

    def _generated(self, source: Path) -> tuple[str, ...]:
        """Keeps the files that the installation wrote into the tree, apart from what building leaves."""
        after = Tree.from_folder(source)
        new = [path for path in after if path not in self.tree and not _BUILT.search(path)]
        missing = [path for path in self.spec.generates if path not in after]
        if missing:
            raise InfraError(f"the installation of {self.label} did not write {', '.join(missing)}")
        Tree({path: after[path] for path in new}).write(self.folder / "generated")
        return tuple(new)

    def _keep_metadata_only(self) -> set[str]:
        """Removes the project's code; gives the top-level names that it was imported by.

        Raises:
            InfraError: The project is not there, or not pure Python.
        """
        found = self._project()
        info = Path(str(found._path))  # type: ignore[attr-defined]
        wheel = found.read_text("WHEEL") or ""
        if "Root-Is-Purelib: true" not in wheel:
            raise InfraError(f"{self.label} is not pure Python, and is not built here; name the task's image")
        names, kept = set(), []
        for file in found.files or ():
            path = Path(os.path.normpath(self.site / file))
            ours = path.is_relative_to(self.site) and not path.is_relative_to(info)
            if ours:
                names.add(file.parts[0].removesuffix(".py"))
                path.unlink(missing_ok=True)
            elif file.name not in ("RECORD", "direct_url.json"):
                kept.append(f"{file.as_posix()},,")
        (info / "direct_url.json").unlink(missing_ok=True)
        (info / "RECORD").write_text("\n".join(kept) + "\n", encoding="utf-8")
        names.discard("__pycache__")
        self._remove_empty(names)
        return names

    def _project(self) -> metadata.Distribution:
        for found in metadata.distributions(path=[str(self.site)]):
            if plain_name(found.metadata["Name"]) == plain_name(self.spec.distribution):
                return found
        raise InfraError(f"pip installed no distribution {self.spec.distribution} for {self.label}")

    def _remove_empty(self, names: set[str]) -> None:
        """Removes the project's directories, and refuses to leave a file of its code behind."""
        for name in names:
            for folder, _, files in os.walk(self.site / name, topdown=False):
                left = [file for file in files if not file.endswith(".pyc")]
                if left:
                    raise InfraError(f"another copy of {self.spec.distribution} stays behind: {folder}/{left[0]}")
                for file in files:
                    (Path(folder) / file).unlink()
                Path(folder).rmdir()

    def _imports(self, names: set[str]) -> tuple[str, ...]:
        """Finds the directories of the tree that hold the project's packages and modules."""
        found: dict[str, None] = {}
        for name in sorted(names):
            for folder in _IMPORT_FOLDERS:
                start = f"{folder}/{name}" if folder else name
                if f"{start}.py" in self.tree or any(path.startswith(f"{start}/") for path in self.tree):
                    found[folder or "."] = None
                    break
            else:
                raise InfraError(f"{name}, which {self.label} installs, is nowhere in its tree")
        return tuple(found)

    def _packages(self) -> tuple[str, ...]:
        found = metadata.distributions(path=[str(self.site)])
        return tuple(sorted({f"{each.metadata['Name']}=={each.version}" for each in found}))


def _pyproject(tree: Tree) -> dict[str, object]:
    if "pyproject.toml" not in tree:
        return {}
    try:
        return tomllib.loads(tree.text("pyproject.toml"))
    except tomllib.TOMLDecodeError as error:
        raise InfraError(f"the project's pyproject.toml is malformed: {error}") from error
