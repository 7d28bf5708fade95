"""Talking to a Docker engine: where it is, whether it can be used, and faults in words.

The SDK is imported on use, so that the other backends need no Docker at all.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from typing import Any

from bai.errors import SandboxDied, SandboxUnavailable

__all__ = ["INSTALL_SDK", "OLDEST_API", "address", "connect", "forget_engines", "why_no_engine"]

INSTALL_SDK = "pip install 'bai-rl[docker]'"
ADDRESSES = "unix:///PATH or tcp://HOST:PORT"
"""What an engine's address looks like."""
KINDS = ("unix", "http+unix", "tcp", "http", "https", "ssh")
"""What it may begin with; the SDK's others are for engines on Windows, which hold no sandbox."""
FORWARD = "ssh -nNT -L ~/engine.sock:/var/run/docker.sock"
"""Has OpenSSH bring an engine's socket here, where its address follows."""
OLDEST_API = (1, 41)
"""Of Docker 20.10: private control group namespaces."""
API_S = 60.0
"""Seconds for one request to the engine."""
PROBE_S = 5.0
"""Seconds in which an engine that works says so."""
KEEP_S = 5.0
"""Seconds for which what a probe found is believed: an engine may come up, or go."""
_NEEDED = {
    "MemoryLimit": "a memory limit",
    "SwapLimit": "a limit on swap (it needs control groups v2, or a kernel started with swapaccount=1)",
    "PidsLimit": "a limit on processes",
    "CpuCfsQuota": "a limit on processor time",
}
"""What an engine says of itself, and which limit it could not hold without."""


def address(url: str | None) -> str:
    """The engine's address: ``url``, else what the environment says, else where an engine listens by itself."""
    return url or os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"


@contextlib.contextmanager
def connect(url: str | None, *, timeout_s: float = API_S) -> Iterator[Any]:
    """Gives the SDK's low-level client for the engine at ``url`` (None: what the environment says).

    Raises:
        SandboxUnavailable: The SDK is absent, the address is none, or no engine that can be used answers.
        SandboxDied: The engine refused a request, or went away.
    """
    _knock(url)
    try:
        from docker import APIClient
        from docker.errors import DockerException
        from docker.utils import kwargs_from_env
    except ImportError as error:
        raise SandboxUnavailable(f"the SDK of Docker is not installed; run: {INSTALL_SDK}") from error
    _expect_address(url)
    with _talking(url):
        settings = {**kwargs_from_env(), **({"base_url": url} if url else {}), "timeout": timeout_s}
        try:
            # Asked here rather than by the client as it is made: one that fails to be made is never closed.
            with contextlib.closing(APIClient(**settings, version=".".join(map(str, OLDEST_API)))) as asking:
                spoken = asking.version(api_version=False)["ApiVersion"]
        except (DockerException, OSError) as error:
            _close_left_open(error)
            raise SandboxUnavailable(_why_unreachable(url, error)) from error
        except ValueError as error:
            # Names that no host can have are found out only as they are looked up.
            raise SandboxUnavailable(_why_no_address(url, error)) from error
        with contextlib.closing(APIClient(**settings, version=spoken)) as client:
            yield client


def _expect_address(url: str | None) -> None:
    """Finds out what the SDK would stumble over.

    Raises:
        SandboxUnavailable: The address is none, or one over SSH.
    """
    from docker.errors import DockerException
    from docker.utils import parse_host

    kind, scheme, _ = address(url).lower().partition("://")
    if scheme and kind not in KINDS:
        raise SandboxUnavailable(_why_no_address(url, f"{kind}:// is not known"))
    try:
        parse_host(address(url))
    except (DockerException, ValueError) as error:
        raise SandboxUnavailable(_why_no_address(url, error)) from error
    if kind == "ssh":
        # The SDK ends all streams over SSH with the client that asked for them; a runner's outlives it.
        remedy = f"{FORWARD} {shlex.quote(address(url))}, and set DOCKER_HOST to unix://$HOME/engine.sock"
        raise SandboxUnavailable(f"sandboxes do not speak SSH with {address(url)}; forward its socket: {remedy}")


def _why_no_address(url: str | None, said: object) -> str:
    return f"{address(url)!r} is no address of a Docker engine ({said}); expected {ADDRESSES}"


def _knock(url: str | None) -> None:
    """Finds out whether anybody listens, where that is a file: without loading the SDK, which few machines need.

    Raises:
        SandboxUnavailable: Nobody does, or this user may not ask.
    """
    kind, _, path = address(url).partition("://")
    if kind == "unix":
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(PROBE_S)
            try:
                probe.connect(path)
            except OSError as error:
                raise SandboxUnavailable(_why_unreachable(url, error)) from error


@contextlib.contextmanager
def _talking(url: str | None) -> Iterator[None]:
    """Turns what the SDK raises into :class:`~bai.errors.SandboxDied` with the engine's own words."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    try:
        yield
    except (DockerException, RequestException) as error:
        _close_left_open(error)
        said = getattr(error, "explanation", None) or _root_cause(error)
        raise SandboxDied(f"the Docker engine at {address(url)} failed: {said}") from error


def _causes(error: BaseException) -> list[BaseException]:
    """A fault and those that led to it, the first one last."""
    found = [error]
    while (error := error.__cause__ or error.__context__ or error) not in found:
        found.append(error)
    return found


def _root_cause(error: BaseException) -> BaseException:
    return _causes(error)[-1]


def _close_left_open(error: BaseException) -> None:
    """Closes the sockets that the SDK made for connections which were refused, and forgot."""
    for cause in _causes(error):
        for frame, _ in traceback.walk_tb(cause.__traceback__):
            left = frame.f_locals.get("sock")
            if isinstance(left, socket.socket):
                left.close()


def _why_unreachable(url: str | None, error: BaseException) -> str:
    root = _root_cause(error)
    if isinstance(root, PermissionError):
        return f"this user may not use the Docker engine at {address(url)}: {root.strerror}"
    said = root.strerror if isinstance(root, OSError) and root.strerror else str(root)
    return f"no Docker engine answers at {address(url)} ({said}); start one, or set DOCKER_HOST to where one listens"


_probes: dict[str, tuple[float, str | None]] = {}
_lock = threading.Lock()


def why_no_engine(url: str | None) -> str | None:
    """Says why no engine at ``url`` can hold a sandbox, or gives None; looks again after some seconds."""
    place = address(url)
    with _lock:
        when, reason = _probes.get(place, (-KEEP_S, None))
        if time.monotonic() - when > KEEP_S:
            reason = _probe(url)
            _probes[place] = (time.monotonic(), reason)
    return reason


def forget_engines() -> None:
    """Forgets what probes found, so that the next look is a fresh one."""
    with _lock:
        _probes.clear()


def _probe(url: str | None) -> str | None:
    try:
        with connect(url, timeout_s=PROBE_S) as client:
            return _why_too_weak(client.info(), client.api_version, address(url))
    except (SandboxUnavailable, SandboxDied) as error:
        return str(error)


def _why_too_weak(info: dict[str, Any], api: str, place: str) -> str | None:
    """Compares what an engine says of itself with what every sandbox needs of it."""
    if tuple(map(int, api.split("."))) < OLDEST_API:
        return f"the engine at {place} is too old: Docker 20.10 or newer is needed"
    if info.get("OSType") != "linux":
        return f"the engine at {place} runs {info.get('OSType')} containers; Linux is needed"
    lacking = [limit for field, limit in _NEEDED.items() if not info.get(field)]
    options = ",".join(info.get("SecurityOptions") or ())
    if "name=seccomp" not in options or "unconfined" in options:
        lacking.append("a system call filter")
    return f"the engine at {place} cannot hold {', '.join(lacking)}" if lacking else None


def _renew_lock() -> None:
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)
