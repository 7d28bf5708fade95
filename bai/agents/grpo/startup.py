"""What Ray lacks on this machine, said before a run rather than in the middle of one.

Ray waits for ever, without a message, for CPUs that it will never have; it connects to whatever
``RAY_ADDRESS`` names; it cannot start where its home is not writable. Each finding comes with
one line that mends it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bai.errors import ConfigError, WorkerFailure

__all__ = [
    "Finding",
    "available_cpus",
    "check_startup",
    "needed_cpus",
    "needed_gpus",
    "own_cpus",
    "require_startup",
    "start_ray",
    "stop_ray",
]

_MIN_SHARED_MEMORY = 256 * 1024**2
_MAX_SESSION_PATH = 107
_ANSWER_S = 5.0
_FAREWELL_S = 10.0
_STARTS = 3
_SESSION_NAME = "/ray/session_2026-01-01_00-00-00_000000_0000000/sockets/plasma_store"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing looked at."""

    name: str
    """What was looked at, in a word or two."""
    ok: bool
    """Whether it is as Ray needs it."""
    fatal: bool = False
    """Whether a run cannot start, rather than start slowly."""
    problem: str = ""
    """What is wrong; empty if nothing is."""
    fix: str = ""
    """One line that mends it."""


def available_cpus() -> int:
    """Gives the number of cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def own_cpus() -> int:
    """Gives the cores meant for this process: a Ray actor's share, such as a Tune trial's, or all there are."""
    import ray

    context = ray.get_runtime_context() if ray.is_initialized() else None
    if context is None or context.get_actor_id() is None:
        return available_cpus()
    return max(1, int(context.get_assigned_resources().get("CPU", 1)))


def needed_cpus(config: Any) -> int:
    """Gives the logical CPUs a configuration's actors ask Ray for.

    Args:
        config: A :class:`~bai.agents.grpo.config.GRPOConfig`.
    """
    per_learner = 1 if config.num_cpus_per_learner == "auto" else config.num_cpus_per_learner
    if config.num_cpus_per_learner == "auto" and config.num_gpus_per_learner:
        per_learner = 0
    return int(config.num_env_runners * config.num_cpus_per_env_runner + config.num_learners * per_learner)


def needed_gpus(config: Any) -> float:
    """Gives the accelerators a configuration's actors ask Ray for; what runs in this process reserves none.

    Args:
        config: A :class:`~bai.agents.grpo.config.GRPOConfig`.
    """
    runners = config.num_env_runners * config.num_gpus_per_env_runner
    return float(runners + config.num_learners * config.num_gpus_per_learner)


def check_startup(
    *, cpus_needed: int = 0, num_cpus: int | None = None, environment: Mapping[str, str] | None = None
) -> list[Finding]:
    """Looks at everything Ray needs.

    Args:
        cpus_needed: Logical CPUs that actors will ask for.
        num_cpus: Logical CPUs that Ray is told it has; None for as many as are needed.
        environment: Environment variables; None for this process's.
    """
    variables = os.environ if environment is None else environment
    return [
        _check_cpus(cpus_needed, num_cpus),
        _check_address(variables),
        _check_home(variables),
        _check_shared_memory(Path("/dev/shm")),  # noqa: S108 - looked at, not written to
        _check_session_path(variables),
        _check_disk(variables),
    ]


def require_startup(findings: list[Finding]) -> None:
    """Ends a run that cannot start.

    Args:
        findings: Of :func:`check_startup`.

    Raises:
        ConfigError: A fatal finding; the message holds its remedy.
    """
    fatal = [finding for finding in findings if finding.fatal and not finding.ok]
    if fatal:
        raise ConfigError("; ".join(f"{finding.problem}: {finding.fix}" for finding in fatal))


def start_ray(
    *, cpus_needed: int = 0, gpus_needed: float = 0.0, num_cpus: int | None = None, address: str | None = None
) -> bool:
    """Connects to a Ray cluster, or starts a quiet session on this machine, unless this process has one.

    Args:
        cpus_needed: Logical CPUs that actors will ask for.
        gpus_needed: Accelerators that they will ask for.
        num_cpus: Logical CPUs to tell Ray of; None for as many as are needed, at least those that exist.
        address: A running cluster's, such as ``auto`` (the one of this machine) or ``HOST:6379``; None starts a
            session. A process that is connected already has to be so to this one.

    Returns:
        Whether there was none, so that this caller ends it by :func:`stop_ray`.

    Raises:
        ConfigError: Ray cannot work here, or no cluster answers; the message says how to mend it.
        WorkerFailure: Ray does not come up, though nothing is wrong with the machine but its load.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_prestart_worker_first_driver", "0")  # idle workers that nobody asked for
    os.environ.setdefault("RAY_worker_niceness", "0")  # Ray's 15 starves runners and learners beside anything else
    import ray

    found = ray.is_initialized()
    if found and address is not None:
        _expect_session(address)
    elif address is not None:
        _connect(address)
    elif not found:
        require_startup(check_startup(cpus_needed=cpus_needed, num_cpus=num_cpus))
        _init_patiently(max(cpus_needed, available_cpus()) if num_cpus is None else num_cpus)
    try:
        _require_resources(cpus_needed, gpus_needed)
    except ConfigError:
        if not found:
            stop_ray()
        raise
    return not found


def _expect_session(address: str) -> None:
    import ray

    present = ray.get_runtime_context().gcs_address
    if address != "auto" and _reachable(address) != _reachable(present):
        raise ConfigError(
            f"this process is connected to the Ray cluster at {present} already, and {address!r} was asked for: call "
            "ray.shutdown() first, or leave the address out"
        )


def _reachable(address: str) -> tuple[str, ...]:
    """Gives an address as Ray writes it, which names this machine by what others reach it by."""
    import ray

    host, _, port = address.rpartition(":")
    with contextlib.suppress(OSError):  # a name that nobody knows is compared as it is written
        host = socket.gethostbyname(host)
    return (ray.util.get_node_ip_address() if host.startswith("127.") else host), port


def _connect(address: str) -> None:
    import ray

    try:
        if address != "auto":
            host, _, port = address.rpartition(":")
            # Ray itself would try for minutes.
            socket.create_connection((host, int(port)), timeout=_ANSWER_S).close()
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"no Ray cluster answers at {address!r} ({error}): expected auto or HOST:PORT of one that runs; start one "
            "with `ray start --head`, or leave the address out"
        ) from error


def _init_patiently(num_cpus: int) -> None:
    """Starts Ray, again where a busy machine let its 30 seconds pass; a failed start dies with this process."""
    import ray

    for attempt in range(1, _STARTS + 1):
        try:
            ray.init(
                address="local",
                num_cpus=num_cpus,
                include_dashboard=False,
                logging_level=logging.ERROR,
                log_to_driver=False,
            )
        except Exception as error:
            if "timed out during startup" not in str(error):
                raise
            if attempt == _STARTS:
                raise WorkerFailure(f"Ray did not start in {_STARTS} attempts; the machine is overloaded") from error
        else:
            return


def stop_ray() -> None:
    """Ends the Ray session that :func:`start_ray` started, and waits until its processes are gone."""
    import ray

    node = ray._private.worker._global_node
    started = [] if node is None else [info.process for group in node.all_processes.values() for info in group]
    ray.shutdown()
    for process in started:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_FAREWELL_S)


def _require_resources(cpus: float, gpus: float) -> None:
    import ray

    present = ray.cluster_resources()
    for name, needed in (("CPU", cpus), ("GPU", gpus)):
        if needed > present.get(name, 0):
            raise ConfigError(
                f"actors ask for {needed:g} {name}s and the Ray session has {present.get(name, 0):g}, so they would "
                f"wait for ever: start it with ray.init(num_{name.lower()}s={needed:g}) or ask for fewer"
            )


def _check_cpus(needed: int, given: int | None) -> Finding:
    if given is not None and needed > given:
        return Finding(
            name="CPUs",
            ok=False,
            fatal=True,
            problem=f"runners and learners ask for {needed} CPUs and Ray is given {given}, so they would wait for ever",
            fix=f"give num_cpus={needed} (logical: more than exist is allowed) or ask for fewer",
        )
    present = available_cpus()
    if needed > present:
        return Finding(
            name="CPUs",
            ok=False,
            problem=f"runners and learners ask for {needed} CPUs and {present} exist, so they take turns",
            fix=f"ask for at most {present} runners and learners together",
        )
    return Finding(name="CPUs", ok=True)


def _check_address(variables: Mapping[str, str]) -> Finding:
    address = variables.get("RAY_ADDRESS")
    if address is None:
        return Finding(name="RAY_ADDRESS", ok=True)
    return Finding(
        name="RAY_ADDRESS",
        ok=False,
        problem=f"RAY_ADDRESS={address} is set, and bai starts a session of its own beside it",
        fix="unset RAY_ADDRESS, or give that address (--ray-address) to run on that cluster",
    )


def _check_home(variables: Mapping[str, str]) -> Finding:
    home = Path(variables.get("HOME", "~")).expanduser()
    folder = home / ".ray" if (home / ".ray").is_dir() else home
    if variables.get("RAY_AUTH_MODE", "").lower() == "disabled" or os.access(folder, os.W_OK):
        return Finding(name="home directory", ok=True)
    return Finding(
        name="home directory",
        ok=False,
        fatal=True,
        problem=f"{folder} is not writable, and Ray keeps its access token there",
        fix="export RAY_AUTH_MODE=disabled",
    )


def _check_shared_memory(mount: Path) -> Finding:
    if not mount.is_dir():
        return Finding(
            name="shared memory", ok=False, problem=f"there is no {mount}, so Ray passes data by disk", fix="mount one"
        )
    free = shutil.disk_usage(mount).free
    if free >= _MIN_SHARED_MEMORY:
        return Finding(name="shared memory", ok=True)
    return Finding(
        name="shared memory",
        ok=False,
        problem=f"{mount} has {free // 1024**2} MB free, so Ray passes data by disk",
        fix="give the container more, such as docker run --shm-size=2g",
    )


def _check_session_path(variables: Mapping[str, str]) -> Finding:
    root = variables.get("RAY_TMPDIR") or variables.get("TMPDIR") or tempfile.gettempdir()
    length = len(root) + len(_SESSION_NAME)
    if length <= _MAX_SESSION_PATH:
        return Finding(name="session path", ok=True)
    return Finding(
        name="session path",
        ok=False,
        fatal=True,
        problem=f"Ray's sockets under {root} would have paths of {length} bytes, and {_MAX_SESSION_PATH} are allowed",
        fix="export RAY_TMPDIR=/tmp",
    )


def _check_disk(variables: Mapping[str, str]) -> Finding:
    root = variables.get("RAY_TMPDIR") or tempfile.gettempdir()
    usage = shutil.disk_usage(root) if Path(root).is_dir() else None
    if usage is None or usage.free > 0.05 * usage.total:
        return Finding(name="disk", ok=True)
    return Finding(
        name="disk",
        ok=False,
        problem=f"the disk of {root} is over 95 % full, where Ray stops to spill data",
        fix="free some space, or point RAY_TMPDIR at another disk",
    )
