"""Containers of sandboxes, by the labels they carry; what a dead process's engine may still hold.

A container ends by itself when its stream closes, and its engine then removes it. This is for the
rest: a container that was made and never started, or an engine that was down just then.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from bai.envs.sandbox.docker_engine import connect, why_no_engine
from bai.envs.sandbox.docker_settings import LABEL
from bai.envs.sandbox.registry import OwnerState, ProcessId
from bai.errors import InfraError

__all__ = ["Container", "blank", "discard", "find", "remove"]


class Container(NamedTuple):
    """A container that says it is a sandbox's."""

    id: str
    owner: ProcessId
    """Whose it is."""
    expires: float
    """When it is nobody's any more, in seconds of the epoch."""
    made: float
    """When it was made, in seconds of the epoch."""

    @property
    def state(self) -> OwnerState:
        """Whether its owner runs; ``elsewhere`` also if that is another user's or another machine's.

        An engine may serve several of both, and other users' processes may be hidden.
        """
        same_machine = self.owner.boot == ProcessId.of(1).boot
        return self.owner.state if same_machine and not _is_of_others(self.owner.pid) else "elsewhere"

    @property
    def expired(self) -> bool:
        """Whether its time is over."""
        return time.time() > self.expires


def _is_of_others(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def find(url: str | None = None) -> list[Container]:
    """Lists the containers of sandboxes on an engine (None: the one that the environment names).

    Gives none where no engine answers.
    """
    found: list[Container] = []
    if why_no_engine(url) is not None:
        return found
    with contextlib.suppress(InfraError), connect(url) as client:
        for seen in client.containers(all=True, filters={"label": f"{LABEL}=1"}):
            with contextlib.suppress(LookupError, ValueError, TypeError):
                found.append(_read(seen["Id"], seen["Labels"], float(seen["Created"])))
    return found


def _read(container: str, labels: Mapping[str, str], made: float) -> Container:
    pid, start, boot, namespace = labels["bai.owner"].split()
    owner = ProcessId(int(pid), int(start), boot, int(namespace))
    return Container(container, owner, float(labels["bai.expires"]), made)


def remove(url: str | None, container: str) -> bool:
    """Kills and removes a container; tells whether it is gone."""
    try:
        with connect(url) as client:
            discard(client, container)
    except InfraError:
        return False
    return True


def discard(client: Any, container: str) -> None:
    """Kills and removes a container with a client that is there; one that is gone, or going, is fine."""
    from docker.errors import APIError, NotFound

    try:
        client.remove_container(container, force=True, v=True)
    except NotFound:
        return
    except APIError as error:
        if error.status_code != 409:  # it is being removed already
            raise


@contextlib.contextmanager
def blank(client: Any, image: str) -> Iterator[str]:
    """Gives a container that is never started: only its file system is wanted, which for once is writable."""
    made = client.create_container_from_config({"Image": image, "Cmd": [], "Entrypoint": ["true"]})["Id"]
    try:
        yield made
    finally:
        discard(client, made)
