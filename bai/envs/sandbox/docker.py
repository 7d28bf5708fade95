"""The Docker backend: a hardened container with nothing but Python in it, reached over its own streams."""

from __future__ import annotations

import io
import json
import logging
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from bai.envs.sandbox import containers, inside, layout, registry, workspace
from bai.envs.sandbox.base import Capabilities, Limits
from bai.envs.sandbox.channel import Channel
from bai.envs.sandbox.docker_channel import AttachedChannel
from bai.envs.sandbox.docker_engine import address, connect, why_no_engine
from bai.envs.sandbox.docker_settings import Wanted, draw_uid, memory_of, refuse_weaker, scratch_of
from bai.envs.sandbox.image import default_image, why_no_image
from bai.envs.sandbox.lodging import with_forks
from bai.envs.sandbox.registry import LIFETIME_S
from bai.envs.sandbox.resident import ResidentSandbox
from bai.envs.sandbox.startup import START_S
from bai.errors import ConfigError, InfraError, SandboxUnavailable

__all__ = ["DockerSandbox"]

log = logging.getLogger(__name__)

_INSIDE = Path(inside.__file__).parent
BOOTSTRAP = (_INSIDE / "bootstrap.py").read_text(encoding="utf-8")
"""Starts the runner from sources that come over standard input."""
INTERPRETER = "python3"
"""What runs it, by the image's PATH."""
WORKSPACE_LABEL = "bai.workspace"
"""Label of an image made by :meth:`DockerSandbox.commit`: where the workspace's archive lies in it."""
WORKSPACE_ARCHIVE = "/usr/share/bai/workspace.tar"
"""Its place."""
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""PATH of an image that names none."""


class DockerSandbox(ResidentSandbox):
    """A sandbox in a container of its own.

    No network, no capability, no new privileges, a user of its own, a read-only root, bounded file systems in
    memory, the engine's own system call filter under ours, and limits on memory, swap, processes and processor
    time by control groups. A container that turns out weaker than that is not used.

    The runner needs Python 3.10 or newer in the image and nothing else: its code comes over standard input.
    Candidates see what the image holds, its Python packages too. The container ends with its stream, so it dies
    with the process that made it.

    Args:
        limits: Bounds on each execution.
        image: Image to run in; None for the project's own, which ``bai sandbox build`` makes.
        runtime: OCI runtime such as ``runsc``; None for the engine's own choice.
        url: The engine's address; None for what the environment says (``DOCKER_HOST``).
        workspace: Absolute path at which the workspace is mounted, over what the image has there; None for
            ``/workspace``.
    """

    name: ClassVar[str] = "docker"

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        image: str | None = None,
        runtime: str | None = None,
        url: str | None = None,
        workspace: str | None = None,
    ) -> None:
        super().__init__(limits=limits)
        told = {"image": image, "runtime": runtime, "url": url, "workspace": workspace}
        for option, value in told.items():
            if value is not None and (not isinstance(value, str) or not value):
                raise ConfigError(f"{option} must be a string with something in it, or None; got {value!r}")
        self.options = {option: value for option, value in told.items() if value is not None}
        self._runtime, self._url = runtime, url
        self._workspace = layout.WORKSPACE if workspace is None else _expect_place(workspace)
        self.image = image or default_image()
        """Name of the image it runs in."""
        self._of_image: Mapping[str, Any] = {}
        self._container: str | None = None
        self._made = 0.0

    @classmethod
    def unavailable_reason(cls) -> str | None:
        return why_no_engine(None) or why_no_image(None, default_image())

    def _why_not(self) -> str | None:
        return why_no_engine(self._url) or why_no_image(self._url, self.image)

    @property
    def capabilities(self) -> Capabilities:
        return with_forks(_CAPABILITIES, same_user=True)

    @property
    def container(self) -> str | None:
        """Id of the container while it runs."""
        return self._container

    # How the runner starts.

    def _command(self) -> tuple[list[str], dict[str, str]]:
        return [INTERPRETER, "-s", "-c", BOOTSTRAP], self._variables()

    def _variables(self) -> dict[str, str]:
        return {**layout.ENVIRONMENT, "HOME": self._workspace}

    def _connect(self) -> Channel:
        began = time.perf_counter()
        with connect(self._url) as client:
            self._create(client)
            self._entry = registry.register(self.name, {"container": self._container, "url": address(self._url)})
            created = time.perf_counter()
            # Known from here on, so that a fault finds out what the runner said.
            self.stay.channel = channel = AttachedChannel(
                client.attach_socket(self._container, dict.fromkeys(_STREAMS, 1))
            )
            self._begin(client)
            channel.greet(_runner_sources(), START_S)
        self.stats.update(create_s=created - began, begin_s=time.perf_counter() - created)
        return channel

    def _create(self, client: Any) -> None:
        """Makes the container, and refuses one that is weaker than asked."""
        info, self._of_image = client.info(), client.inspect_image(self.image)["Config"] or {}
        if self._runtime is not None and self._runtime not in info["Runtimes"]:
            known = ", ".join(sorted(info["Runtimes"]))
            raise SandboxUnavailable(f"the Docker engine has no runtime {self._runtime!r}; it has {known}")
        argv, environment = self._command()
        remapped = any(f"name={kind}" in info["SecurityOptions"] for kind in ("userns", "rootless"))
        wanted = Wanted(
            image=self.image,
            limits=self.limits,
            argv=tuple(argv),
            environment=environment,
            uid=draw_uid(remapped=remapped),
            processors=int(info["NCPU"]),
            runtime=self._runtime,
            workspace=self._workspace,
        )
        made = client.create_container_from_config(wanted.body())
        self._container = made["Id"]
        refuse_weaker(wanted, client.inspect_container(self._container), made.get("Warnings"))

    def _begin(self, client: Any) -> None:
        from docker.errors import APIError

        try:
            client.start(self._container)
        except APIError as error:
            said = str(error.explanation)
            if "executable file not found" in said or "no such file or directory" in said:
                raise SandboxUnavailable(f"the image {self.image} has no {INTERPRETER} on its PATH: {said}") from error
            raise

    def make_room(self) -> None:
        most = memory_of(self.limits, layout.BRANCH_DISKS)
        with connect(self._url) as client:
            client.update_container(self._container, mem_limit=most, memswap_limit=most)

    def _configure(self) -> dict[str, Any]:
        of_image = dict(entry.partition("=")[::2] for entry in self._of_image.get("Env") or ())
        environment = {"PATH": DEFAULT_PATH, **of_image, **self._variables()}
        # The image's own packages are on the import path already.
        return {
            "environment": environment,
            "workspace": self._workspace,
            "scratch": list(scratch_of(self._workspace)),
            "packages": [],
            "package_folders": [],
            "same_user": True,
        }

    def reset(self) -> None:
        # Well before its label says that it is nobody's, which others on the same engine believe.
        if self._is_alone and self.alive and time.monotonic() - self._made > LIFETIME_S / 2:
            self.close()
            self.start()
        else:
            super().reset()

    @property
    def _is_alone(self) -> bool:
        """Whether the container is this sandbox's own and lodges nobody else, so that it may be replaced."""
        return self.stay.host is None and not self.twins

    def _launch(self) -> None:
        super()._launch()
        self._made = time.monotonic()
        if WORKSPACE_LABEL in (self._of_image.get("Labels") or {}):
            try:
                workspace.unpack(self, self._archive_of_image())
            except OSError as error:
                self.close()
                raise SandboxUnavailable(f"the workspace that {self.image} brings does not fit: {error}") from error
            except BaseException:
                self.close()
                raise

    def _archive_of_image(self) -> bytes:
        """Gets the workspace that :meth:`commit` put into the image."""
        with connect(self._url) as client:
            pieces, _ = client.get_archive(self._container, WORKSPACE_ARCHIVE)
            return _only_file(b"".join(pieces))

    def _release(self, *, owner: bool) -> None:
        container, self._container = self._container, None
        if container is None or not owner:
            return
        try:
            with connect(self._url) as client:
                containers.discard(client, container)
        except InfraError as error:
            # It ends by itself: its stream is closed.
            log.debug("could not remove container %s: %s", container, error)

    # Images of it.

    def commit(self, tag: str) -> str:
        """Saves the whole container as an image, for use as ``image=``.

        All that can change in a container is the workspace, which lies in memory, where Docker's own commit
        does not look; so its archive goes along, and a sandbox made of the image starts with it.

        Args:
            tag: Name of the image, as ``NAME`` or ``NAME:TAG``.

        Returns:
            The image's full name.

        Raises:
            ConfigError: The name is none.
            CannotFork: The workspace holds what cannot be copied.
            SandboxDied: The engine failed.
        """
        repository, colon, version = tag.rpartition(":")
        if not colon or "/" in version:
            repository, version = tag, "latest"
        if not repository or not version:
            raise ConfigError(f"expected an image's name, NAME or NAME:TAG; got {tag!r}")
        archive = self.snapshot().archive
        with connect(self._url) as client, containers.blank(client, self.image) as container:
            client.put_archive(container, "/", _archive_with(WORKSPACE_ARCHIVE, archive))
            client.commit(container, repository, version, changes=self._changes())
        return f"{repository}:{version}"

    def _changes(self) -> list[str]:
        entry, command = (json.dumps(self._of_image.get(name) or []) for name in ("Entrypoint", "Cmd"))
        return [f"LABEL {WORKSPACE_LABEL}={WORKSPACE_ARCHIVE}", f"ENTRYPOINT {entry}", f"CMD {command}"]


_STREAMS = ("stdin", "stdout", "stderr", "stream")


def _expect_place(workspace: str) -> str:
    """Refuses what cannot be a workspace's place beside the other directories of a sandbox."""
    path = PurePosixPath(workspace)
    own = (*layout.SCRATCH, layout.BRANCHES, "/proc", "/sys", "/dev", "/etc", "/usr")
    others = [PurePosixPath(each) for each in own if each != layout.WORKSPACE]
    plain = workspace.startswith("/") and str(path) == workspace and ".." not in path.parts and ":" not in workspace
    if not plain or any(path.is_relative_to(other) or other.is_relative_to(path) for other in others):
        raise ConfigError(f"workspace must be a plain absolute path of a directory for itself; got {workspace!r:.200}")
    return workspace


def _runner_sources() -> bytes:
    """The runner's modules, as its bootstrap reads them."""
    sources = {
        f"_bai.{path.stem}" if path.stem != "__init__" else "_bai": path.read_text(encoding="utf-8")
        for path in sorted(_INSIDE.glob("*.py"))
        if path.name != "bootstrap.py"
    }
    data = json.dumps(sources).encode()
    return len(data).to_bytes(8, "big") + data


def _archive_with(path: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo(path.lstrip("/"))
        member.size, member.mode = len(data), 0o644
        archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def _only_file(archive: bytes) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        file = opened.extractfile(opened.getmembers()[0])
        assert file is not None
        return file.read()


_CAPABILITIES = Capabilities(
    network_blocked=True,
    filesystem_hidden=True,
    filesystem_readonly=True,
    processes_hidden=True,
    tree_memory=True,
    tree_processes=True,
    disk_limited=True,
    not_stopped=(
        "a kernel bug that a process can reach with ordinary system calls (with runtime='runsc' the host's kernel "
        "is reached by fewer of them)",
        "a fault of the Docker engine, which runs as root",
        "use of the processors that the container may use until the time limit",
        "memory in the buffers of connections over the loopback, where the engine has control groups of version 1",
        "signals between sandboxes that run at the same time, by timing or by locks on files of one image",
    ),
)
