"""The image that Docker sandboxes run in: its name, and how it is built.

The recipe is the folder ``docker/``. The image's tag is a hash of it, so a recipe that changed
is built anew and one that did not is not. The recipe's base image is taken from the engine,
else from a registry; where none answers, it is made of Debian's packages (:mod:`.image_base`).
"""

from __future__ import annotations

import functools
import hashlib
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bai.envs.sandbox.docker_engine import address, connect
from bai.envs.sandbox.image_base import make_base
from bai.errors import ConfigError, SandboxDied, SandboxUnavailable

__all__ = [
    "REPOSITORY",
    "Built",
    "build_image",
    "default_image",
    "follow",
    "has_image",
    "packages",
    "recipe",
    "why_no_image",
]

REPOSITORY = "bai-sandbox"
"""What the project's own images are called, apart from the tag."""
PULL_S = 120.0
"""Seconds between two signs of life from a registry."""
BUILD_S = 1800.0
"""Seconds between two signs of life from a build."""

Origin = Literal["present", "pulled", "packages"]
Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Built:
    """What :func:`build_image` did."""

    image: str
    """Name of the image."""
    built: bool
    """Whether it was built now; not, if it was there."""
    base: str
    """Name of the image it stands on, or an empty string if it was there."""
    origin: Origin | None
    """Where that came from: it was ``present``, ``pulled`` from a registry, or made of Debian's ``packages``."""
    size_bytes: int
    """Size of the image with its base."""
    seconds: float
    """What it took."""
    engine: str
    """Address of the engine that has it."""


def recipe() -> Path:
    """The folder of the recipe."""
    return Path(__file__).parents[2] / "assets" / "docker"


def packages() -> list[str]:
    """Names of the Debian packages that the image holds beyond a minimal system."""
    return (recipe() / "packages.txt").read_text(encoding="utf-8").split()


@functools.cache
def default_image() -> str:
    """Name of the image that the present recipe makes."""
    digest = hashlib.sha256()
    for path in sorted(recipe().iterdir()):
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode() + content)
    return f"{REPOSITORY}:{digest.hexdigest()[:12]}"


def build_image(*, url: str | None = None, force: bool = False, tell: Tell = lambda line: None) -> Built:
    """Builds the image unless the engine has it.

    Args:
        url: The engine's address; None for what the environment says.
        force: Build even if it is there.
        tell: Hears each step, as one line.

    Raises:
        SandboxUnavailable: No engine answers, or the base can neither be pulled nor made.
        SandboxDied: The engine failed.
    """
    began = time.monotonic()
    name = default_image()
    with connect(url, timeout_s=BUILD_S) as client:
        base, origin = "", None
        present = has_image(client, name)
        if force or not present:
            base, origin = _find_base(client, url, tell)
            tell(f"building {name} on {base}")
            _build(client, name, base, origin, tell, fresh=force)
        size = int(client.inspect_image(name)["Size"])
    seconds = time.monotonic() - began
    return Built(
        image=name,
        built=force or not present,
        base=base,
        origin=origin,
        size_bytes=size,
        seconds=seconds,
        engine=address(url),
    )


def has_image(client: Any, name: str) -> bool:
    """Tells whether an engine has an image."""
    from docker.errors import ImageNotFound

    try:
        client.inspect_image(name)
    except ImageNotFound:
        return False
    return True


def why_no_image(url: str | None, name: str) -> str | None:
    """Says why the engine at ``url`` cannot run the image ``name``, or gives None if it has it."""
    try:
        with connect(url) as client:
            if has_image(client, name):
                return None
    except (SandboxUnavailable, SandboxDied) as error:
        return str(error)
    remedy = "bai sandbox build" if name == default_image() else f"docker pull {name}"
    return f"the Docker engine at {address(url)} has no image {name}; run: {remedy}"


def _find_base(client: Any, url: str | None, tell: Tell) -> tuple[str, Origin]:
    text = (recipe() / "Dockerfile").read_text(encoding="utf-8")
    found = re.search(r"^ARG BASE=(\S+)$", text, re.MULTILINE)
    if found is None:
        raise ConfigError(f"{recipe() / 'Dockerfile'} names no base: expected a line ARG BASE=IMAGE")
    base = found[1]
    if has_image(client, base):
        return base, "present"
    tell(f"pulling {base}")
    try:
        with connect(url, timeout_s=PULL_S) as puller:
            follow(puller.pull(base, stream=True, decode=True), tell)
        return base, "pulled"
    except SandboxDied as error:
        tell(f"no registry gave {base}: {error}")
    made = f"{REPOSITORY}-base:{_digest_of(packages())}"
    if not has_image(client, made):
        make_base(client, made, packages(), tell)
    return made, "packages"


def _digest_of(names: list[str]) -> str:
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:12]


def _build(client: Any, name: str, base: str, origin: Origin, tell: Tell, *, fresh: bool) -> None:
    # A base made of packages has them all: no step of the build needs a network.
    network = "none" if origin == "packages" else None
    steps = client.build(
        path=str(recipe().resolve()),
        tag=name,
        buildargs={"BASE": base},
        network_mode=network,
        nocache=fresh,
        rm=True,
        forcerm=True,
        decode=True,
    )
    follow(steps, tell)


def follow(messages: Iterable[dict[str, Any]], tell: Tell) -> None:
    """Passes an engine's progress on.

    Raises:
        SandboxDied: It reports an error.
    """
    said = ""
    for message in messages:
        if "error" in message:
            raise SandboxDied(str(message["error"]).strip())
        line = str(message.get("stream") or message.get("status") or "").strip()
        # Bars of downloads repeat themselves; one line for each state is enough.
        if line and line != said and "progressDetail" not in message:
            tell(line)
        said = line or said
