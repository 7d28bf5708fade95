"""Who may import whom, held by reading the source of every module.

    errors, types, policy  <-  models   envs   <-  rewards  search  data   <-  agents  <-  evals  <-  cli

An arrow points at what is imported. Imports inside functions and under ``TYPE_CHECKING`` count too: a
lazy import is still a dependency.
"""

from __future__ import annotations

import ast
import functools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "bai"

BASE = {"errors", "types", "policy"}
ENVS = {"envs"}
LOWER = BASE | ENVS | {"models"}
MIDDLE = LOWER | {"rewards", "search", "data"}

MAY_IMPORT: dict[str, set[str]] = {
    "": {"envs"},  # bai/__init__.py registers the ids
    "errors": set(),
    "types": {"errors"},
    "policy": {"errors", "types"},
    "models": BASE,
    "envs": BASE,
    "rewards": LOWER,
    "search": LOWER | {"rewards"},
    "data": LOWER,
    "agents": MIDDLE,
    "evals": MIDDLE | {"agents"},
    "cli": MIDDLE | {"agents", "evals", ""},
    "__main__": {"cli"},
}
"""Part of the package -> the other parts it may import; the empty name is ``bai`` itself."""

ENV_CONTRACTS = {"bai.envs.base", "bai.envs.spaces", "bai.envs.sandbox.base", "bai.envs.tasks.base"}
"""All that rewards and search may know of environments."""

ENV_ORDER = ("bai.envs.tools", "bai.envs.tasks", "bai.envs.grading")
"""Folders of environments, each of which may import those before it and none after it."""

HEAVY = {"torch", "transformers", "ray", "datasets", "pyarrow", "pandas", "trl", "peft"}

FORBIDDEN_OUTSIDE: dict[str, set[str]] = {"ray": {"agents"}, "torch": {"models", "agents", "rewards", "data", "cli"}}
"""Library -> the only parts that may import it."""


def modules() -> list[Path]:
    # The libraries of the default repair tasks are data.
    return sorted(path for path in PACKAGE.rglob("*.py") if not path.is_relative_to(PACKAGE / "assets"))


@functools.cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def part_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return "" if first == "__init__.py" else first.removesuffix(".py")


def dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """Gives (dotted name, line) of everything a file imports, relative imports resolved."""
    package = dotted(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            anchor = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*anchor, *([node.module] if node.module else [])])
            for alias in node.names:
                # `from bai import errors` imports a part; `from bai.errors import X` a name of one.
                yield (f"{module}.{alias.name}" if module == "bai" else module), node.lineno


def part_named(name: str) -> str | None:
    """The part of bai that a dotted name lies in, or None for other packages."""
    parts = name.split(".")
    if parts[0] != "bai":
        return None
    if len(parts) == 1:
        return ""
    known = (PACKAGE / parts[1]).is_dir() or (PACKAGE / f"{parts[1]}.py").is_file()
    return parts[1] if known else ""


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_each_part_imports_only_what_lies_below_it(path: Path) -> None:
    """No module reaches up or sideways in the order of the parts."""
    part = part_of(path)
    assert part in MAY_IMPORT, f"{part} is a new part of bai: say in MAY_IMPORT what it may import"
    # Importing `bai` itself (for its ids, or its version) is importing nothing more than running does.
    allowed = MAY_IMPORT[part] | {part} | ({""} if part in {"agents", "evals"} else set())
    wrong = [
        f"line {line}: {name}"
        for name, line in imported(path)
        if (target := part_named(name)) is not None and target not in allowed
    ]
    assert not wrong, f"bai.{part} may import {sorted(allowed)} only"


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_rewards_and_search_know_environments_by_contract(path: Path) -> None:
    """Rewards and searches work on every environment, so they name none."""
    if part_of(path) not in {"rewards", "search"}:
        return
    wrong = [
        f"line {line}: {name}"
        for name, line in imported(path)
        if name.startswith("bai.envs") and name not in ENV_CONTRACTS
    ]
    assert not wrong


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_tools_tasks_and_judges_import_in_one_direction(path: Path) -> None:
    """Tools know no tasks, and tasks no judges."""
    place = next(
        (number for number, folder in enumerate(ENV_ORDER) if f"{dotted(path)}.".startswith(f"{folder}.")), None
    )
    if place is None:
        return
    above = tuple(f"{folder}." for folder in ENV_ORDER[place + 1 :])
    assert not [f"line {line}: {name}" for name, line in imported(path) if f"{name}.".startswith(above)]


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_heavy_libraries_stay_in_their_parts(path: Path) -> None:
    """Ray is imported in agents alone; no environment needs torch."""
    part = part_of(path)
    wrong = [
        f"line {line}: {name}"
        for name, line in imported(path)
        if part not in FORBIDDEN_OUTSIDE.get(name.split(".")[0], {part})
    ]
    assert not wrong


def python(source: str) -> object:
    """Runs a program in a fresh interpreter and reads the JSON it prints last."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", source], cwd=ROOT, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_importing_bai_loads_nothing_heavy() -> None:
    """``import bai`` registers the ids, and loads neither torch nor Ray nor a data library."""
    loaded = python(
        "import sys, json, bai, gymnasium\n"
        "assert 'bai/Coding-v0' in gymnasium.registry\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    assert isinstance(loaded, list)
    assert HEAVY.isdisjoint(loaded)


def test_importing_bai_costs_little_processor_time() -> None:
    """What bai adds to Gymnasium's own import is under half a second of processor time."""
    seconds = python(
        "import json, time, gymnasium, numpy\n"
        "start = time.process_time()\n"
        "import bai\n"
        "print(json.dumps(time.process_time() - start))"
    )
    assert isinstance(seconds, float)
    assert seconds < 0.5


def test_environments_load_without_torch() -> None:
    """Every module of ``bai.envs`` imports, and none of them brings torch, transformers or Ray along."""
    names = [dotted(path) for path in modules() if part_of(path) == "envs"]
    loaded = python(
        "import sys, json, importlib\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    assert isinstance(loaded, list)
    assert {"torch", "transformers", "ray"}.isdisjoint(loaded)


IMPORT_ALL = """
import importlib, json, traceback
wrong = {}
for name in NAMES:
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        if (error.name or "bai").split(".")[0] == "bai":
            wrong[name] = traceback.format_exc()
        continue
    except Exception:
        wrong[name] = traceback.format_exc()
        continue
    missing = [entry for entry in getattr(module, "__all__", ()) if not hasattr(module, entry)]
    if missing:
        wrong[name] = f"__all__ names what is not there: {missing}"
print(json.dumps(wrong))
"""


def test_every_module_imports_and_has_what_it_exports() -> None:
    """Each module imports by itself (an absent optional library aside) and holds all names of its ``__all__``."""
    names = [dotted(path) for path in modules() if path.name != "__main__.py"]
    assert python(IMPORT_ALL.replace("NAMES", repr(names))) == {}


def exported(path: Path) -> list[str]:
    """The names in a module's ``__all__``; none where it has none."""
    return [
        name
        for node in tree_of(path).body
        if isinstance(node, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets)
        for name in ast.literal_eval(node.value)
    ]


def defined(path: Path) -> set[str]:
    """The classes and functions at the top level of a module."""
    body = tree_of(path).body
    return {node.name for node in body if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)}


def file_of(name: str) -> Path | None:
    """The file of a module of bai."""
    folder = ROOT.joinpath(*name.split("."))
    return next((p for p in (folder.with_suffix(".py"), folder / "__init__.py") if p.is_file()), None)


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_modules_take_from_each_other_only_what_is_exported(path: Path) -> None:
    """A class or a function that another module imports is in its own module's ``__all__``, once, and public."""
    wrong = []
    for node in ast.walk(tree_of(path)):
        if not isinstance(node, ast.ImportFrom) or node.level or not (node.module or "").startswith("bai"):
            continue
        source = file_of(node.module or "")
        assert source is not None, f"line {node.lineno}: there is no {node.module}"
        taken = {alias.name for alias in node.names} & defined(source)
        wrong += [f"line {node.lineno}: {node.module}.{name}" for name in sorted(taken - set(exported(source)))]
    assert not wrong
    assert len(set(exported(path))) == len(exported(path))
    assert not [name for name in exported(path) if name.startswith("_") and not name.startswith("__")]


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_every_module_says_what_it_is(path: Path) -> None:
    """Each module opens with a docstring."""
    assert ast.get_docstring(tree_of(path))
