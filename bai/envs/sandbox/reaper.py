"""Removes what sandboxes of dead processes left: processes, folders, control groups, containers.

It runs once in the background of every process that starts a sandbox, and in ``bai sandbox
reap``. A sandbox is removed if its owner is dead or has not used it for a day
(:data:`~bai.envs.sandbox.registry.LIFETIME_S`). An entry of the registry is believed only where
this user alone could have written it, and even then a process is ended only if it started when
the entry says and is a runner, and a folder is removed only if it is one that sandboxes make.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple, Protocol

from bai.envs.sandbox import cgroups, registry, removal
from bai.envs.sandbox.locks import locked, open_lock
from bai.envs.sandbox.registry import Entry
from bai.envs.sandbox.removal import FOLDER_PREFIX, is_sandbox_folder

__all__ = ["FOLDER_PREFIX", "Found", "Reaped", "look", "reap", "watch"]

log = logging.getLogger(__name__)

UNCLAIMED_AGE_S = 3600.0
"""Seconds after which a folder that no entry names is taken for a leftover."""

State = Literal["in use", "orphaned", "expired", "elsewhere", "unclaimed"]


@dataclass(frozen=True, kw_only=True)
class Found:
    """A sandbox on this machine, or what is left of one."""

    state: State
    """``in use``; ``orphaned``: its owner is dead; ``expired``: not used for a day; ``elsewhere``: of another PID
    namespace, user or machine, so that nothing can be said; ``unclaimed``: a folder that no entry names, or a
    container from elsewhere that was made more than a day ago."""
    sandbox: str
    """Name of its backend, or an empty string."""
    owner: int | None = None
    """Process id of its owner."""
    runner: int | None = None
    """Process id of its runner, if that runs."""
    idle_s: float = 0.0
    """Seconds since its last use, give or take a minute."""
    age_s: float = 0.0
    """Seconds since it was started."""
    place: str = ""
    """Its folder, container or control group."""
    remove: Callable[[], str] = field(repr=False, compare=False)
    """Ends and removes it; says why it is still there, or gives an empty string."""


class Reaped(NamedTuple):
    """What came of removing sandboxes."""

    gone: list[Found]
    """Those that were removed."""
    kept: list[tuple[Found, str]]
    """Those that could not be removed, each with the reason."""


def look(*, docker: bool = True) -> list[Found]:
    """Lists this user's sandboxes on this machine, those of other processes too.

    Args:
        docker: Also ask the Docker engine that the environment names, if one answers.
    """
    groups = _control_groups()
    found = [_describe(entry, groups.pop(_group_of(entry), [])) for entry in registry.entries()]
    claimed = {item.place for item in found}
    unnamed = [*_folders(), *(_containers() if docker else ())]
    return [*found, *map(_describe_groups, groups.values()), *(item for item in unnamed if item.place not in claimed)]


def _describe(entry: Entry, groups: list[Path]) -> Found:
    record = entry.record
    runs = record.runner is not None and record.runner.state == "alive"
    return Found(
        state=_state(record.owner.state, expired=entry.expired),
        sandbox=record.sandbox,
        owner=record.owner.pid,
        runner=record.runner.pid if record.runner and runs else None,
        idle_s=entry.idle_s,
        age_s=max(0.0, time.time() - record.made),
        place=str(next(filter(None, map(record.holdings.get, ("folder", "container", "cgroup"))), "")),
        remove=partial(_remove, entry, groups),
    )


def _state(owner: registry.OwnerState, *, expired: bool) -> State:
    states: dict[registry.OwnerState, State] = {"dead": "orphaned", "elsewhere": "elsewhere", "alive": "in use"}
    return "expired" if owner == "alive" and expired else states[owner]


def _control_groups() -> dict[str, list[Path]]:
    """Control groups whose owner is dead, by name: one in each hierarchy."""
    found: dict[str, list[Path]] = {}
    for path in cgroups.leftovers():
        found.setdefault(path.name, []).append(path)
    return found


def _group_of(entry: Entry) -> str:
    return Path(str(entry.record.holdings.get("cgroup") or "")).name


def _describe_groups(paths: list[Path]) -> Found:
    return Found(state="orphaned", sandbox="", place=str(paths[0]), remove=partial(removal.remove_groups, paths))


def _containers() -> Iterator[Found]:
    """Containers of sandboxes on the engine that the environment names, named by an entry or not."""
    from bai.envs.sandbox import containers

    for item in containers.find():
        # Labels are not renewed: what runs out there may well be in use.
        state = "unclaimed" if item.state == "elsewhere" and item.expired else _state(item.state, expired=False)
        age_s, remove = max(0.0, time.time() - item.made), partial(removal.remove_container, None, item.id)
        yield Found(state=state, sandbox="docker", owner=item.owner.pid, age_s=age_s, place=item.id, remove=remove)


def _folders() -> Iterator[Found]:
    """Folders of sandboxes in the directory for temporary files, named by an entry or not."""
    for path in sorted(Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*")):
        with contextlib.suppress(OSError):
            age_s = time.time() - path.lstat().st_mtime
            if is_sandbox_folder(path) and age_s > UNCLAIMED_AGE_S:
                yield Found(
                    state="unclaimed",
                    sandbox="process",
                    idle_s=age_s,
                    age_s=age_s,
                    place=str(path),
                    remove=partial(removal.remove_unclaimed, path),
                )


def reap(*, everything: bool = False, docker: bool = True, wait: bool = True) -> Reaped:
    """Removes sandboxes whose owner is dead or forgot them; gives those that are gone now, and those that are not.

    Args:
        everything: Also those in use, and what nobody claims.
        docker: Also ask the Docker engine that the environment names, if one answers.
        wait: Wait while another process reaps, rather than leave it to that one.
    """
    states = {"orphaned", "expired"} | ({"in use", "unclaimed"} if everything else set())
    done = Reaped([], [])
    with _alone(wait=wait) as alone:
        if not alone:
            return done
        registry.remove_drafts()
        for item in look(docker=docker):
            if item.state in states:
                why = item.remove()
                done.kept.append((item, why)) if why else done.gone.append(item)
    return done


@contextlib.contextmanager
def _alone(*, wait: bool) -> Iterator[bool]:
    """Tells whether no other process reaps meanwhile."""
    folder = next(iter(registry.folders()), None)
    if folder is None:
        yield True
        return
    with locked(open_lock(folder / "reaper.lock"), wait=wait) as alone:
        yield alone


def _remove(entry: Entry, groups: list[Path]) -> str:
    """Ends and removes one sandbox; what cannot be removed now keeps its entry for the next time."""
    # One after the other: what comes later may still be in use by what came before.
    why = next(filter(None, _remove_parts(entry, groups)), "")
    if not why:
        entry.remove()
    return why


def _remove_parts(entry: Entry, groups: list[Path]) -> Iterator[str]:
    runner, holdings = entry.record.runner, entry.record.holdings
    if runner is not None:
        yield removal.end_runner(runner)
    yield removal.remove_groups(groups)
    yield removal.end_user(holdings.get("uid"), entries=1)
    folder, container = holdings.get("folder"), holdings.get("container")
    if isinstance(folder, str):
        yield removal.remove_folder(Path(folder))
    if isinstance(container, str):
        why = removal.remove_container(holdings.get("url") or None, container)
        yield "" if entry.expired else why


class _Sandbox(Protocol):
    name: ClassVar[str]

    def close(self) -> None: ...


_begun: set[tuple[int, bool]] = set()
"""Processes that have reaped, and whether they asked Docker."""
_watched: weakref.WeakSet[_Sandbox] = weakref.WeakSet()


def watch(sandbox: _Sandbox) -> None:
    """Has a sandbox closed when this process exits, and, at the first one, what dead processes left removed."""
    _watched.add(sandbox)
    docker = sandbox.name == "docker"
    if (os.getpid(), docker) not in _begun:
        _begun.update({(os.getpid(), docker), (os.getpid(), False)})
        threading.Thread(target=_reap_quietly, args=(docker,), name="bai-sandbox-reaper", daemon=True).start()


@atexit.register
def _close_watched() -> None:
    for sandbox in list(_watched):
        sandbox.close()


def _reap_quietly(docker: bool) -> None:
    try:
        gone, kept = reap(docker=docker, wait=False)
    except OSError as error:
        log.warning("could not look for what dead processes left: %s", error)
        return
    if gone:
        log.info("removed %d sandboxes of dead processes", len(gone))
    for item, why in kept:
        log.info("could not remove what a dead process left at %s: %s", item.place or "an unknown place", why)
