"""Machines in Docker: a task's own image, or a built environment as a layer over the project's image."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import posixpath
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bai.envs.machines.base import Machine
from bai.envs.machines.cache import make_once
from bai.envs.machines.environment import BELOW, ROOT, Environment, configuration
from bai.envs.machines.local import variables_of
from bai.envs.repository.tree import Tree
from bai.envs.sandbox import DockerSandbox
from bai.envs.sandbox.base import Limits, Sandbox
from bai.envs.sandbox.containers import blank
from bai.envs.sandbox.docker_engine import connect
from bai.envs.sandbox.image import default_image, follow, has_image, why_no_image
from bai.errors import DataError, InfraError, SandboxUnavailable

__all__ = ["ImageMachine", "LayerMachine", "image_tree", "why_no_task_image"]

log = logging.getLogger(__name__)

TESTBED = "/testbed"
"""Where SWE-bench's images have the repository."""
CONDA = "/opt/miniconda3/envs/testbed"
"""Where they have its interpreter."""
REPOSITORY = "bai-environment"
"""What images with a built environment are called, apart from the tag."""
PLACE = "/opt/bai"
"""Where the environment and its interpreter lie in them."""
PULL_S = 600.0
"""Seconds between two signs of life from a registry."""
_WORKS = "import bz2, ctypes, hashlib, lzma, socket, sqlite3, ssl, zlib"
"""What an interpreter that came from elsewhere must be able to import."""
_NOT_COPIED = ("site-packages", "test", "idlelib", "turtledemo", "__pycache__")
"""Parts of an installation that stay behind: packages of its own above all."""


class ImageMachine(Machine):
    """A task's own image, with the repository's place as the workspace.

    Args:
        image: The image; the engine must have it.
        options: Options of the Docker backend.
    """

    def __init__(self, image: str, *, options: Mapping[str, Any]) -> None:
        self.image = image
        self._options = {**options, "image": image, "workspace": TESTBED}
        self.key = f"docker:{image}"
        self.root, self.below = TESTBED, ""
        # The image's own interpreter for anything else is the runner's.
        path = [f"{CONDA}/bin", "/opt/miniconda3/condabin", "/usr/local/bin", "/usr/bin", "/bin"]
        self.variables = {
            "PATH": os.pathsep.join(path),
            "CONDA_DEFAULT_ENV": "testbed",
            "CONDA_PREFIX": CONDA,
            # What tests leave in their home is not the repository's.
            "HOME": "/tmp",  # noqa: S108  (inside)
        }

    def make_sandbox(self, limits: Limits) -> Sandbox:
        return DockerSandbox(limits=limits, **self._options)


class LayerMachine(Machine):
    """A built environment as a layer over the project's image; made once and kept by the engine.

    Args:
        environment: What is added.
        options: Options of the Docker backend.

    Raises:
        SandboxUnavailable: No engine answers, it lacks the project's image, or the interpreter does not run on it.
    """

    def __init__(self, environment: Environment, *, options: Mapping[str, Any]) -> None:
        self.environment = environment
        self.image = _layered(environment, options)
        self._options = {**options, "image": self.image}
        self.key = f"docker:{self.image}"
        self.root, self.below = ROOT, BELOW
        self.variables = variables_of(f"{PLACE}/environment")

    def make_sandbox(self, limits: Limits) -> Sandbox:
        return DockerSandbox(limits=limits, **self._options)


def why_no_task_image(image: str, url: str | None, *, pull: bool) -> str | None:
    """Says why a task's image cannot be used, or gives None; pulls it where that is allowed."""
    reason = why_no_image(url, image)
    if reason is None or not pull:
        return reason
    try:
        with connect(url, timeout_s=PULL_S) as client:
            from docker.utils import parse_repository_tag

            repository, tag = parse_repository_tag(image)
            follow(client.pull(repository, tag=tag or "latest", stream=True, decode=True), log.info)
    except InfraError as error:
        log.warning("%s cannot be pulled: %s", image, error)
    return why_no_image(url, image)


def image_tree(image: str, cache: Path, url: str | None = None, *, folder: str = TESTBED) -> Tree:
    """Gives the repository's files as they lie in a folder of a task's image, without its history.

    They are taken from a container that is never started, so nothing of the image runs.

    Raises:
        DataError: The image holds no repository where it should be.
        SandboxUnavailable: The engine does not answer.
    """
    with connect(url) as client:
        identity = str(client.inspect_image(image)["Id"])
    place = cache / "images" / f"{hashlib.sha256(f'{identity}{folder}'.encode()).hexdigest()[:16]}.tar"

    def copy(draft: Path) -> None:
        with connect(url) as client, blank(client, image) as container:
            draft.write_bytes(_copied(client, container, image, folder).archive())

    return Tree.from_archive(make_once(place, copy).read_bytes())


def _copied(client: Any, container: str, image: str, folder: str) -> Tree:
    from docker.errors import NotFound

    try:
        pieces, _ = client.get_archive(container, folder)
    except NotFound as error:
        raise DataError(f"the image {image} has no repository at {folder}") from error
    whole = Tree.from_archive(b"".join(pieces), below=posixpath.basename(folder))
    return Tree({path: entry for path, entry in whole.items() if path.split("/")[0] != ".git"})


def _layered(environment: Environment, options: Mapping[str, Any]) -> str:
    """Gives the name of the image with an environment, making it where the engine lacks it."""
    url = options.get("url")
    base = str(options.get("image") or default_image())
    if (reason := why_no_image(url, base)) is not None:
        raise SandboxUnavailable(reason)
    tag = f"{environment.key}-{hashlib.sha256(base.encode()).hexdigest()[:8]}"
    name = f"{REPOSITORY}:{tag}"
    with connect(url) as client:
        if has_image(client, name):
            return name
    program = _program(environment, base, options)
    with connect(url) as client, blank(client, base) as container:
        client.put_archive(container, "/", _layer(environment, program))
        config = client.inspect_image(base)["Config"] or {}
        client.commit(container, REPOSITORY, tag, conf={**config, "Entrypoint": None})
    _expect_to_work(name, options)
    return name


def _program(environment: Environment, base: str, options: Mapping[str, Any]) -> str | None:
    """The base image's own interpreter, where it is of the environment's version; None where one has to come along."""
    ask = "import os, sys; print('%d.%d' % sys.version_info[:2], os.path.realpath(sys.executable))"
    with DockerSandbox(**{**options, "image": base}) as sandbox:
        version, _, path = sandbox.exec(["python3", "-c", ask]).stdout.decode().strip().partition(" ")
    return path if version == environment.python.rpartition(".")[0] else None


def _layer(environment: Environment, program: str | None) -> bytes:
    """The archive of what the layer adds."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for folder in (PLACE, f"{PLACE}/environment"):
            member = tarfile.TarInfo(folder.lstrip("/"))
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(member)
        if program is None:
            _add(archive, Path(environment.prefix), f"{PLACE}/python", _without_packages)
            program = f"{PLACE}/python/{Path(environment.program).relative_to(environment.prefix)}"
            # One that is built with a shared library looks for it where it was built, and then here.
            for library in sorted(Path(environment.prefix, "lib").glob("libpython*.so*")):
                _link(archive, f"/usr/lib/{library.name}", f"{PLACE}/python/lib/{library.name}")
        _add(archive, Path(environment.folder), f"{PLACE}/environment", lambda path: True)
        _add_links(archive, environment, program)
    return buffer.getvalue()


def _without_packages(path: Path) -> bool:
    return path.name not in _NOT_COPIED and path.suffix != ".a"


def _add(archive: tarfile.TarFile, source: Path, target: str, wanted: Callable[[Path], bool]) -> None:
    for here, folders, files in os.walk(source):
        folders[:] = sorted(name for name in folders if wanted(Path(here) / name))
        for name in [*folders, *sorted(files)]:
            path = Path(here) / name
            if not wanted(path) or _is_replaced(path, source):
                continue
            member = archive.gettarinfo(str(path), f"{target}/{path.relative_to(source).as_posix()}".lstrip("/"))
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            # As many files are one as links make them here; in the archive each is whole.
            if member.islnk():
                member.type, member.size = tarfile.REGTYPE, path.stat().st_size
            if member.isreg():
                with path.open("rb") as file:
                    archive.addfile(member, file)
            else:
                archive.addfile(member)


def _is_replaced(path: Path, source: Path) -> bool:
    """Whether a file of an environment tells where the interpreter is, which :func:`_add_links` says anew."""
    inner = path.relative_to(source).as_posix()
    return inner == "pyvenv.cfg" or (path.is_symlink() and inner.startswith("bin/python") and path.parent.name == "bin")


def _add_links(archive: tarfile.TarFile, environment: Environment, program: str) -> None:
    minor = environment.python.rpartition(".")[0]
    for name in ("python", "python3", f"python{minor}"):
        _link(archive, f"{PLACE}/environment/bin/{name}", program)
    text = configuration(program, environment.python).encode()
    member = tarfile.TarInfo(f"{PLACE}/environment/pyvenv.cfg".lstrip("/"))
    member.size, member.mode = len(text), 0o644
    archive.addfile(member, io.BytesIO(text))


def _link(archive: tarfile.TarFile, path: str, target: str) -> None:
    member = tarfile.TarInfo(path.lstrip("/"))
    member.type, member.linkname = tarfile.SYMTYPE, target
    archive.addfile(member)


def _expect_to_work(name: str, options: Mapping[str, Any]) -> None:
    """Tries the interpreter once in the new image, and removes an image in which it does not run.

    Raises:
        SandboxUnavailable: It does not.
    """
    url = options.get("url")
    with DockerSandbox(**{**options, "image": name}) as sandbox:
        done = sandbox.exec([f"{PLACE}/environment/bin/python", "-c", _WORKS])
    if not done.ok:
        with connect(url) as client:
            client.remove_image(name, force=True)
        said = done.stderr.decode("utf-8", "replace").strip()[-300:]
        raise SandboxUnavailable(f"the interpreter of {name} does not run on the project's image: {said}")
