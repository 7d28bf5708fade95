"""Settings every test shares."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from bai.envs.repository.patch import make_patch
from bai.envs.repository.tree import Entry, Tree
from bai.envs.tasks.repair import RepairTask, TestRun

# Read by libraries at import, so they are set before any of them is.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

# No deadline: a shared machine may pause any example; derandomised: the same examples every run.
settings.register_profile(
    "bai", deadline=None, derandomize=True, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("bai")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of public data sets; skips the test where there is none."""
    folder = os.environ.get("BAI_DATA_DIR")
    if not folder or not Path(folder).is_dir():
        pytest.skip("needs public data sets: set BAI_DATA_DIR to their folder")
    return Path(folder)


@pytest.fixture(scope="session")
def docker_engine() -> str:
    """Address of a Docker engine that tests may use; skips the test where there is none."""
    url = os.environ.get("BAI_TEST_DOCKER_HOST")
    if not url:
        pytest.skip("needs a Docker engine: set BAI_TEST_DOCKER_HOST to its address")
    from bai.envs.sandbox.docker_engine import why_no_engine

    if (reason := why_no_engine(url)) is not None:
        pytest.skip(f"needs a Docker engine: {reason}")
    return url


@pytest.fixture(scope="session")
def system_python() -> str:
    """An interpreter of the version under test that an ordinary user may run; skips the test where there is none."""
    python = "/usr/bin/python3"
    version = subprocess.run([python, "-c", "import sys; print(sys.version_info[:2])"], capture_output=True, text=True)
    if version.stdout.strip() != str(sys.version_info[:2]):
        pytest.skip(f"needs {python} of the version under test, which an ordinary user may run")
    return python


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs a command line in this process; gives exit code, standard output and standard error."""
    from bai.cli import main

    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")

    def command(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["bai", *map(str, arguments)])
        capfd.readouterr()
        try:
            main()
            code = 0
        except SystemExit as ending:
            code = int(ending.code or 0)
        text, faults = capfd.readouterr()
        return code, text, faults

    return command


# A repair task made by hand: it needs neither network nor a data set.

PYTEST = "python -m pytest -rA --no-header -p no:cacheprovider -o addopts="
PRICES = '''"""What things cost, in cents."""


def discount(price, percent):
    """Takes some per cent off a price."""
    return price - price * percent // 100


def total(prices, shipping=0):
    """What all of it costs."""
    return sum(prices) + shipping


def cheapest(prices):
    """The lowest price, or None where there is none."""
    return min(prices) if prices else None
'''
VISIBLE_TESTS = """from shop import cheapest, total


def test_total():
    assert total([1, 2]) == 3


def test_cheapest():
    assert cheapest([3, 1]) == 1
"""
HIDDEN_TESTS = """from shop import discount


def test_discount():
    assert discount(200, 10) == 180
    assert discount(50, 100) == 0


def test_no_discount():
    assert discount(70, 0) == 70
"""


def _shop() -> Tree:
    files = {
        "shop/__init__.py": "from shop.prices import cheapest, discount, total\n",
        "shop/prices.py": PRICES.replace("price - price", "price + price"),
        "tests/test_prices.py": VISIBLE_TESTS,
    }
    return Tree({path: Entry(data=text.encode()) for path, text in files.items()})


@pytest.fixture(scope="session")
def make_repair(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., RepairTask]:
    """Makes the task "a discount is added instead of taken off", with any fields changed.

    Its hidden test is a new file; the visible tests pass and must go on passing. ``files`` are put over its tree.
    """
    folder = tmp_path_factory.mktemp("repairs")

    def make(files: Mapping[str, str | None] | None = None, **changes: Any) -> RepairTask:
        own = {path: None if text is None else Entry(data=text.encode()) for path, text in (files or {}).items()}
        tree = _shop().changed(own)
        place = folder / f"{tree.digest}.tar.gz"
        place.write_bytes(gzip.compress(tree.archive(), mtime=0))
        sound = tree.changed({"shop/prices.py": Entry(data=PRICES.encode())})
        tested = tree.changed({"tests/test_discount.py": Entry(data=HIDDEN_TESTS.encode())})
        fields: dict[str, Any] = {
            "task_id": "shop-1",
            "prompt": "The issue: discount(200, 10) gives 220.",
            "repo": "package/shop",
            "base_commit": tree.digest,
            "version": "1.0",
            "problem_statement": "discount(200, 10) gives 220.",
            "patch": make_patch(tree, sound).text,
            "test_patch": make_patch(tree, tested).text,
            "fail_to_pass": ("tests/test_discount.py::test_discount",),
            "pass_to_pass": (
                "tests/test_discount.py::test_no_discount",
                "tests/test_prices.py::test_cheapest",
                "tests/test_prices.py::test_total",
            ),
            "log_parser": "parse_log_pytest",
            "run": TestRun(command=PYTEST, targets=("tests/test_discount.py", "tests/test_prices.py")),
            "origin": {"tree": str(place)},
        }
        return RepairTask(**{**fields, **changes})

    return make


@pytest.fixture(scope="session")
def machines_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that tests of repairs share, so that their machine is made once."""
    return tmp_path_factory.mktemp("machines").resolve()


@pytest.fixture(
    params=[
        "process",
        pytest.param("bubblewrap", marks=pytest.mark.bubblewrap),
        pytest.param("docker", marks=pytest.mark.docker),
    ]
)
def repair_backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of a sandbox backend that works here."""
    if request.param == "docker":
        monkeypatch.setenv("DOCKER_HOST", request.getfixturevalue("docker_engine"))
    return _working(request.param)


@pytest.fixture(scope="session")
def fast_backend() -> str:
    """The quickest backend that works here, for tests to which it does not matter."""
    from bai.envs.sandbox import SANDBOXES

    works = [name for name in ("bubblewrap", "process") if SANDBOXES[name].unavailable_reason() is None]
    return works[0] if works else _working("process")


def _working(name: str) -> str:
    from bai.envs.sandbox import SANDBOXES

    if (reason := SANDBOXES[name].unavailable_reason()) is not None:
        pytest.skip(f"the {name} sandbox cannot work here: {reason}")
    return name
