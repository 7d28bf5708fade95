"""What Ray lacks is said beforehand, with its remedy."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from bai.agents.grpo.startup import Finding, available_cpus, check_startup, needed_cpus, require_startup
from bai.errors import ConfigError


def finding(name: str, findings: list[Finding]) -> Finding:
    return next(item for item in findings if item.name == name)


def test_too_few_cpus_end_the_run_beforehand() -> None:
    """Ray would wait for ever; the message says how many CPUs are needed."""
    found = finding("CPUs", check_startup(cpus_needed=5, num_cpus=2))
    assert found.fatal and not found.ok and "num_cpus=5" in found.fix
    with pytest.raises(ConfigError, match=r"ask for 5 CPUs and Ray is given 2.*num_cpus=5"):
        require_startup([found])


def test_more_actors_than_cores_is_only_slow() -> None:
    """Logical CPUs may exceed cores: said, not refused."""
    found = finding("CPUs", check_startup(cpus_needed=available_cpus() + 1))
    assert not found.ok and not found.fatal
    require_startup([found])


def test_an_address_in_the_environment_is_named() -> None:
    """RAY_ADDRESS is reported with what becomes of it."""
    found = finding("RAY_ADDRESS", check_startup(environment={"RAY_ADDRESS": "10.0.0.1:6379"}))
    assert not found.ok and "10.0.0.1:6379" in found.problem and "unset" in found.fix
    assert finding("RAY_ADDRESS", check_startup(environment={})).ok


def test_a_home_that_cannot_be_written_is_fatal(tmp_path: Path) -> None:
    """Ray keeps a token there; switching it off is the remedy, and is noticed."""
    missing = {"HOME": str(tmp_path / "absent")}
    found = finding("home directory", check_startup(environment=missing))
    assert found.fatal and not found.ok and found.fix == "export RAY_AUTH_MODE=disabled"
    assert finding("home directory", check_startup(environment={**missing, "RAY_AUTH_MODE": "disabled"})).ok
    assert finding("home directory", check_startup(environment={"HOME": str(tmp_path)})).ok


def test_a_long_session_path_is_fatal(tmp_path: Path) -> None:
    """Socket paths have 107 bytes."""
    found = finding("session path", check_startup(environment={"RAY_TMPDIR": "/" + "x" * 80}))
    assert found.fatal and not found.ok and "RAY_TMPDIR" in found.fix
    assert finding("session path", check_startup(environment={"RAY_TMPDIR": "/tmp"})).ok


def test_every_problem_has_a_remedy_of_one_line() -> None:
    """Whatever is wrong here, the finding says how to mend it."""
    for found in check_startup(cpus_needed=1000, environment={"RAY_ADDRESS": "auto", "HOME": "/nowhere"}):
        assert found.ok == (not found.problem)
        assert found.ok or (found.fix and "\n" not in found.fix)


def test_actors_are_counted(toy_config) -> None:
    """Runners and learners ask for a CPU each; one process asks for none."""
    assert needed_cpus(toy_config()) == 0
    assert needed_cpus(toy_config().env_runners(num_env_runners=3).learners(num_learners=2)) == 5


@pytest.mark.ray
def test_a_running_session_without_enough_cpus_is_refused(ray_session, toy_config, tmp_path, monkeypatch) -> None:
    """Building would hang; it raises instead, and leaves no folder behind."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    config = toy_config().env_runners(num_env_runners=50)
    with pytest.raises(ConfigError, match="ask for 50 CPUs"):
        config.build_algo()
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    assert not list(tmp_path.iterdir())
