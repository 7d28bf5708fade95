"""Environments by their ids: mistakes in a configuration are told before anything runs."""

from __future__ import annotations

import pytest

from bai.agents.environments import make_env
from bai.errors import ConfigError


def test_an_argument_that_no_constructor_takes_is_told_with_those_that_it_takes():
    """A mistyped name is refused before anything is made, with the likely one; what gym.make itself takes passes."""
    with pytest.raises(
        ConfigError, match=r"no argument 'max_turn' \(did you mean 'max_turns'\?\); expected some of task"
    ):
        make_env("bai/SWEBench-v0", {"max_turn": 3})
    with pytest.raises(ConfigError, match=r"no argument 'colour'; expected some of .*reward"):
        make_env("bai/Coding-v0", {"task_set": "micro", "colour": "red"})
    with pytest.raises(ConfigError, match="no_such_module"):
        make_env("no_such_module:X-v0", {})
    with pytest.raises(ConfigError, match=r"there is no environment .bai/Nothing-v0.*expected one of bai/Coding-v0"):
        make_env("bai/Nothing-v0", {"colour": "red"})
    make_env("bai/Coding-v0", {"task_set": "micro", "max_episode_steps": 3}).close()
