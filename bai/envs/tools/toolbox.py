"""All the tools of one episode: declared together, checked, answered by the source that each belongs to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from bai.envs.tools.base import MadeCall, SourceSpec, Tool, ToolCall, ToolSource
from bai.envs.tools.checking import Checker
from bai.envs.tools.registry import make_source
from bai.errors import ConfigError, ToolFault

__all__ = ["Equipped", "Toolbox"]


class Equipped(Protocol):
    """What is asked of a task here; see :class:`bai.envs.tasks.tools.ToolTask`, which has it."""

    @property
    def task_id(self) -> str: ...
    @property
    def tools(self) -> tuple[Tool, ...]: ...
    @property
    def sources(self) -> tuple[SourceSpec, ...]: ...
    @property
    def ends_at_answer(self) -> bool: ...


class Toolbox:
    """The sources of an environment; they are kept from episode to episode where the settings are the same.

    Args:
        given: Settings that the environment adds to its tasks' own, by the name of the source: what only the user
            knows, such as the address of a server.
        extra: Sources that every task has beside its own.
        sandbox: Backend for what is checked in one.
        most: Characters of a result that the agent sees.
    """

    def __init__(
        self,
        *,
        given: Mapping[str, Mapping[str, Any]] | None = None,
        extra: Sequence[SourceSpec] = (),
        sandbox: str = "auto",
        most: int = 4_000,
    ) -> None:
        self._given, self._extra = dict(given or {}), tuple(extra)
        self._sandbox, self._most = sandbox, most
        self._kept: dict[str, ToolSource] = {}
        self._sources: dict[str, ToolSource] = {}
        self._owners: dict[str, ToolSource] = {}
        self._declared: tuple[Tool, ...] = ()
        self._checker = Checker(())

    def __getstate__(self) -> dict[str, Any]:
        # What is started belongs to this process; a copy starts its own with the next episode.
        return {**self.__dict__, "_kept": {}, "_sources": {}, "_owners": {}, "_declared": (), "_checker": Checker(())}

    @property
    def declared(self) -> tuple[Tool, ...]:
        """What the agent is told of."""
        return self._declared

    def begin(self, task: Equipped) -> None:
        """Starts an episode: every source in the state that the task wants.

        Raises:
            ConfigError: The task's sources or tools don't fit together.
            MissingDependency: A library or a program is absent.
            InfraError: What a source needs could not be started.
        """
        self._lay_out(task)
        for spec in self._specs(task):
            self._sources[spec.key].begin(spec.setup)

    def restore(self, task: Equipped, states: Mapping[str, Any]) -> None:
        """Goes to the states that :meth:`get_states` gave. Raises as :meth:`begin`."""
        self._lay_out(task)
        for key, state in states.items():
            self._sources[key].set_state(state)

    def _specs(self, task: Equipped) -> tuple[SourceSpec, ...]:
        return (*task.sources, *self._extra)

    def _lay_out(self, task: Equipped) -> None:
        specs = self._specs(task)
        self._sources = {}
        taken: set[str] = set()
        for spec in specs:
            if spec.key in self._sources:
                raise ConfigError(f"task {task.task_id}: two sources have the key {spec.key!r}")
            self._sources[spec.key] = self._open(spec, taken)
        own = self._owners = self._own(task)
        extra = [tool for spec in self._extra for tool in self._sources[spec.key].tools()]
        all_of_them = [tool for spec in specs for tool in self._sources[spec.key].tools()]
        self._declared = (*task.tools, *extra) if task.tools else tuple(all_of_them)
        orphans = [tool.name for tool in self._declared if tool.name not in own]
        if orphans and not task.ends_at_answer:
            raise ConfigError(f"task {task.task_id}: no source answers the tool {orphans[0]!r}")
        self._checker = Checker(self._declared, self._sandbox)

    def _own(self, task: Equipped) -> dict[str, ToolSource]:
        owners: dict[str, ToolSource] = {}
        for source in self._sources.values():
            for tool in source.tools():
                if tool.name in owners:
                    raise ConfigError(f"task {task.task_id}: two sources have a tool {tool.name!r}")
                owners[tool.name] = source
        return owners

    def _open(self, spec: SourceSpec, taken: set[str]) -> ToolSource:
        """Gives a source with these settings that no other key of the task has."""
        settings = {**spec.settings, **self._given.get(spec.source, {})}
        for number in range(len(taken) + 1):
            name = json.dumps([spec.source, settings, number], sort_keys=True)
            if name not in taken:
                break
        taken.add(name)
        if name not in self._kept:
            self._kept[name] = make_source(spec.source, settings)
        return self._kept[name]

    def answer(self, call: ToolCall | ToolFault) -> MadeCall:
        """Makes a call, or says why it cannot be made.

        Raises:
            InfraError: The machinery failed.
        """
        if isinstance(call, ToolFault):
            return _failed(None, call)
        try:
            self._checker.check(call)
            source = self._owners.get(call.name)
            said = "" if source is None else source.call(call.name, call.arguments)
        except ToolFault as fault:
            return _failed(call, fault)
        if len(said) > self._most:
            said = f"{said[: self._most]}\n[{len(said) - self._most} more characters not shown]"
        return MadeCall(call=call, result=said)

    def end_states(self) -> dict[str, Any]:
        """Gives each source's end state, by its key. Raises ToolFault where one cannot be looked at, or InfraError."""
        return {key: source.end_state() for key, source in self._sources.items()}

    def get_states(self) -> dict[str, Any]:
        """Gives each source's whole state, by its key. Raises CannotFork or InfraError."""
        return {key: source.get_state() for key, source in self._sources.items()}

    def close(self) -> None:
        """Ends all sources."""
        for source in self._kept.values():
            source.close()
        self._kept, self._sources, self._owners = {}, {}, {}


def _failed(call: ToolCall | None, fault: ToolFault) -> MadeCall:
    return MadeCall(call=call, fault=fault.kind, result=f"error ({fault.kind}): {fault.reason}")
