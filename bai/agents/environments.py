"""Environments by their ids, as configurations name them, and what one may add to the record of an episode."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import gymnasium as gym

from bai.envs.arguments import did_you_mean
from bai.envs.registration import ENV_IDS
from bai.errors import ConfigError

__all__ = ["RecordingEnv", "check_arguments", "make_env"]


@runtime_checkable
class RecordingEnv(Protocol):
    """An environment that has more to keep of an episode than its verdict."""

    def record(self) -> Mapping[str, Any]:
        """Gives JSON values about the episode that just ended, for people and reports, never for an agent."""


def make_env(env_id: str, options: Mapping[str, Any]) -> gym.Env[Any, Any]:
    """Makes an environment by its id.

    Args:
        env_id: Gymnasium id; ``module:id`` imports the module first.
        options: Arguments of ``gym.make``.

    Raises:
        ConfigError: There is no such id, or it refuses the options.
    """
    try:
        check_arguments(env_id, options)
        return gym.make(env_id, disable_env_checker=True, **options)
    except (gym.error.Error, TypeError) as error:
        given = f" with {dict(options)}" if options else ""
        raise ConfigError(f"cannot make {env_id}{given}: {error}") from error


def check_arguments(env_id: str, options: Mapping[str, Any]) -> None:
    """Refuses names that neither the environment's constructor nor ``gym.make`` takes, and an id that is not there.

    Raises:
        ConfigError: There is such a name, or no such id or module; says which are known.
    """
    module, _, name = env_id.rpartition(":")
    try:
        if module:
            importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ConfigError(f"cannot make {env_id}: {error}") from error
    if name not in gym.registry and not any(known.startswith(f"{name}-v") for known in gym.registry):
        raise ConfigError(_no_environment(env_id, name))
    entry_point = gym.registry[name].entry_point if name in gym.registry else None
    make = gym.envs.registration.load_env_creator(entry_point) if isinstance(entry_point, str) else entry_point
    if make is None:
        return
    found = inspect.signature(make).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in found):
        return
    known = [parameter.name for parameter in found]
    unknown = options.keys() - {*known, *inspect.signature(gym.make).parameters}
    for name in sorted(unknown):
        hint = did_you_mean(name, known)
        raise ConfigError(
            f"cannot make {env_id}: it takes no argument {name!r}{hint}; expected some of {', '.join(known)}"
        )


def _no_environment(env_id: str, name: str) -> str:
    hint = did_you_mean(name, gym.registry)
    return (
        f"there is no environment {env_id!r}{hint}: expected one of {', '.join(ENV_IDS)}, or another id that is "
        f"registered with Gymnasium, as module:id where a module has to be imported for it"
    )
