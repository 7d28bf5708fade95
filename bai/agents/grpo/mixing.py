"""Several environments in one run, in exact shares: the setting ``mixture``.

    settings={"mixture": {
        "single": {"share": 75, "env_config": {"tools": "none"}},
        "multi": {"share": 25, "env_config": {"tools": "python", "max_turns": 4}},
    }}

Each part is the run's environment with some arguments of its own, or another environment. Prompt ``i`` of iteration
``k`` is draw ``k * prompts_per_step + i`` of a :class:`~bai.envs.tasks.mixture.Mixture` seeded by the run, whatever the
number of runners. Groups that dynamic sampling replaces are replaced by groups of the same part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bai.agents.rollout import Request
from bai.envs.tasks.mixture import Mixture
from bai.errors import ConfigError

__all__ = ["PartOptions", "parts_of_step", "parts_to_replace", "read_mixture"]

_FIELDS = {"share", "env", "env_config"}


@dataclass(frozen=True, kw_only=True)
class PartOptions:
    """One part of a mixture."""

    share: int
    """Its share; only ratios count."""
    env: str | None = None
    """Gymnasium id; None for the run's."""
    env_config: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of ``gym.make``: over the run's, or, with an ``env`` of its own, instead of them."""


def read_mixture(value: Any) -> dict[str, PartOptions]:
    """Reads the setting; empty where there is none.

    Raises:
        ConfigError: It is no mapping of names to ``share``, ``env`` and ``env_config``, or a share is wrong.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not value or not all(isinstance(name, str) and name for name in value):
        raise ConfigError(f"mixture must map names of parts to their options; got {value!r:.200}")
    for name, options in value.items():
        known = isinstance(options, Mapping) and "share" in options and set(options) <= _FIELDS
        if not known or not isinstance(options.get("env_config", {}), Mapping):
            raise ConfigError(f"part {name!r} of the mixture takes share, env and env_config; got {options!r:.200}")
        if not isinstance(options.get("env"), (str, type(None))):
            raise ConfigError(f"part {name!r} of the mixture: env must be a Gymnasium id; got {options['env']!r:.80}")
    parts = {name: PartOptions(**options) for name, options in value.items()}
    Mixture({name: part.share for name, part in parts.items()})
    return parts


def parts_of_step(parts: Mapping[str, PartOptions], *, seed: int, iteration: int, prompts: int) -> list[str]:
    """Gives the part of each prompt of an iteration; empty names where nothing is mixed."""
    if not parts:
        return [""] * prompts
    mixture = Mixture({name: part.share for name, part in parts.items()}, seed=seed)
    return [mixture.part(iteration * prompts + index) for index in range(prompts)]


def parts_to_replace(requests: Sequence[Request], informative: set[str]) -> list[str]:
    """Gives the parts of the groups that are to be replaced."""
    return [request.part for request in requests if request.group_id not in informative]
