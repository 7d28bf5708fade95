"""Machines of Harbor's tasks: the working directory, ``/tests`` and ``/logs`` lie where the task expects them."""

from __future__ import annotations

import functools
import hashlib
import io
import tarfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bai.envs.machines.base import Machine
from bai.envs.machines.dockerfile import Container, read_dockerfile
from bai.envs.machines.environment import BELOW, ROOT, Environment
from bai.envs.machines.image import LayerMachine, image_tree
from bai.envs.machines.local import LocalMachine
from bai.envs.repository.tree import Tree
from bai.envs.sandbox import DockerSandbox, layout, make_sandbox
from bai.envs.sandbox.base import Limits, Sandbox
from bai.envs.sandbox.containers import blank
from bai.envs.sandbox.docker_engine import connect
from bai.envs.sandbox.image import has_image
from bai.envs.stamps import Stamp, stamp
from bai.errors import DataError, SandboxUnavailable

__all__ = [
    "TaskFolder",
    "image_machine",
    "light_machine",
    "read_folder",
    "tree_of_image",
    "why_built",
]

_SPACE = "/tmp/task"  # noqa: S108  (inside)
PLACES: Mapping[str, str] = {f"/{name}": f"{_SPACE}/{name}" for name in ("tests", "solution", "logs")}
"""Where Harbor's tasks look for files, and where those lie: of a sandbox's root nothing can be written."""
_REPOSITORY = "bai-harbor"
"""What images with these places are called, apart from the tag."""


@dataclass(frozen=True, kw_only=True)
class TaskFolder:
    """A Harbor task as its directory describes it."""

    path: Path
    """The directory."""
    container: Container
    """What its Dockerfile says."""
    image: str
    """The image that ``task.toml`` names, or an empty string."""
    script: str
    """The judge: ``test.sh`` or ``run-tests.sh``, in ``tests`` or, the latter, in the directory itself."""
    variables: Mapping[str, str]
    """The judge's environment variables."""

    @functools.cached_property
    def tests(self) -> Tree:
        """What lies in ``/tests`` while the judge runs."""
        own = Tree.from_folder(self.path / "tests")
        return own if self.script in own else Tree({**own, **_only(self.path, self.script)})

    @functools.cached_property
    def solution(self) -> Tree:
        """What lies in ``/solution`` while the gold answer is made; it may be empty."""
        place = self.path / "solution"
        return Tree.from_folder(place) if place.is_dir() else Tree({})

    @functools.cached_property
    def digest(self) -> str:
        """The same for equal directories."""
        return Tree.from_folder(self.path).digest


def read_folder(path: Path) -> TaskFolder:
    """Reads a task's directory; one that was read before is read again only if its files have changed since.

    Raises:
        DataError: It lacks a judge, or a file is malformed.
    """
    return _read(path, stamp([path]))


@functools.lru_cache(maxsize=256)
def _read(path: Path, state: Stamp) -> TaskFolder:
    try:
        settings = tomllib.loads((path / "task.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {path / 'task.toml'}: {error}") from error
    environment, verifier = settings.get("environment", {}), settings.get("verifier", {})
    variables = {str(name): str(value) for name, value in verifier.get("env", {}).items()}
    if wanted := [value for value in variables.values() if "${" in value]:
        raise DataError(f"{path} wants a variable of this machine's for its judge ({wanted[0]:.80}), and gets none")
    return TaskFolder(
        path=path,
        container=read_dockerfile(path / "environment"),
        image=str(environment.get("docker_image") or ""),
        script=_script(path),
        variables=variables,
    )


def _script(path: Path) -> str:
    for name in ("tests/test.sh", "tests/run-tests.sh", "run-tests.sh"):
        if (path / name).is_file():
            return Path(name).name
    raise DataError(f"a Harbor task needs {path / 'tests' / 'test.sh'}, which judges it: not there")


def _only(folder: Path, name: str) -> Tree:
    return Tree({path: entry for path, entry in Tree.from_folder(folder).items() if path == name})


class _HarborMachine(Machine):
    """A machine with a Harbor task's places.

    Args:
        backend: Of its sandboxes.
        options: That backend's own.
        key: Of what it is made.
        root: The task's working directory.
        below: The same, relative to the workspace.
        variables: Of every command.
    """

    def __init__(
        self, backend: str, options: Mapping[str, Any], *, key: str, root: str, below: str, variables: Mapping[str, str]
    ) -> None:
        self.backend, self.options = backend, dict(options)
        self.key, self.root, self.below, self.variables = key, root, below, variables

    def make_sandbox(self, limits: Limits) -> Sandbox:
        return make_sandbox(self.backend, limits, **self.options)


def light_machine(folder: TaskFolder, environment: Environment, backend: str, options: Mapping[str, Any]) -> Machine:
    """Gives the machine of a task whose Dockerfile only copies files: bai's own interpreter with pytest.

    Raises:
        SandboxUnavailable: The backend has no file system of its own.
    """
    container = folder.container
    root, below, links = _place(container.workdir)
    if backend == DockerSandbox.name:
        layer = LayerMachine(environment, options=options)
        own = {**options, "image": _with_links(layer.image, links, options.get("url"))}
        key, variables = f"docker:{own['image']}", layer.variables
    else:
        local = LocalMachine(environment, backend, options)
        if not local.own_root:
            raise SandboxUnavailable(
                f"{folder.path} wants its files at {root}: that takes a sandbox with a root of its own"
            )
        own = {**local.options, "links": tuple(sorted(links.items()))}
        key, variables = f"{local.key}@{root}", local.variables
    return _HarborMachine(backend, own, key=key, root=root, below=below, variables={**variables, **container.variables})


def image_machine(folder: TaskFolder, image: str, options: Mapping[str, Any]) -> Machine:
    """Gives the machine of a task whose image the engine has.

    Raises:
        SandboxUnavailable: The engine does not answer.
        InfraError: The image has something else where the task's places have to be.
    """
    config = _config(image, options.get("url"))
    root = workdir_of(folder, config)
    name = _with_links(image, PLACES, options.get("url"))
    of_image = dict(entry.partition("=")[::2] for entry in config.get("Env") or ())
    # What commands leave in their home is not the task's.
    variables = {**of_image, **folder.container.variables, "HOME": "/tmp"}  # noqa: S108
    own = {**options, "image": name, "workspace": root}
    return _HarborMachine(
        DockerSandbox.name, own, key=f"docker:{name}@{root}", root=root, below="", variables=variables
    )


def tree_of_image(folder: TaskFolder, image: str, cache: Path, url: str | None) -> Tree:
    """Gives the files in the working directory of a task's image, with those that its Dockerfile copies there."""
    place = workdir_of(folder, _config(image, url))
    tree = image_tree(image, cache, url, folder=place)
    return tree if image == folder.image else tree.changed(dict(folder.container.tree))


def workdir_of(folder: TaskFolder, config: Mapping[str, Any]) -> str:
    """Where a task's commands run.

    Raises:
        DataError: Neither the Dockerfile nor the image names a directory for it.
    """
    found = folder.container.workdir or str(config.get("WorkingDir") or "/")
    if found == "/":
        raise DataError(f"{folder.path} names no WORKDIR, so that its files cannot be told from the system's")
    return found


def why_built(folder: TaskFolder) -> str:
    """Says that a task's image has to be built, and what for."""
    container = folder.container
    base = "it names no WORKDIR" if not container.workdir else f"FROM {container.base}"
    return (
        f"{folder.path / 'environment' / 'Dockerfile'} has to be built, which may take a network and which bai does "
        f"not do ({container.wants or base}): build it, name the image as docker_image in the section [environment] of "
        f"task.toml, and use the Docker sandbox"
    )


def _config(image: str, url: str | None) -> Mapping[str, Any]:
    with connect(url) as client:
        return client.inspect_image(image)["Config"] or {}


def _place(workdir: str) -> tuple[str, str, dict[str, str]]:
    """Where a working directory lies: its path, the same in the workspace, and the links that are wanted."""
    if workdir == layout.WORKSPACE:
        return workdir, "", dict(PLACES)
    if workdir.startswith(f"{layout.WORKSPACE}/"):
        return workdir, workdir.removeprefix(f"{layout.WORKSPACE}/"), dict(PLACES)
    return workdir, BELOW, {**PLACES, workdir: ROOT}


def _with_links(image: str, links: Mapping[str, str], url: str | None) -> str:
    """Gives the name of an image with symlinks added, making it where the engine lacks it.

    Raises:
        InfraError: The engine does not answer, or the image has a directory in one of these places.
    """
    with connect(url) as client:
        identity = str(client.inspect_image(image)["Id"])
        tag = hashlib.sha256(repr((identity, sorted(links.items()))).encode()).hexdigest()[:16]
        if has_image(client, f"{_REPOSITORY}:{tag}"):
            return f"{_REPOSITORY}:{tag}"
    with connect(url) as client, blank(client, image) as container:
        client.put_archive(container, "/", _packed(links))
        config = client.inspect_image(image)["Config"] or {}
        client.commit(container, _REPOSITORY, tag, conf={**config, "Entrypoint": None})
    return f"{_REPOSITORY}:{tag}"


def _packed(links: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, target in sorted(links.items()):
            member = tarfile.TarInfo(path.lstrip("/"))
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return buffer.getvalue()
