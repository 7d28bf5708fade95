"""Repair tasks in the form of Harbor's task directories (https://harborframework.com/docs/tasks).

A directory holds ``task.toml``, ``instruction.md``, ``environment/Dockerfile``, ``tests/test.sh`` and, as a rule,
``solution/solve.sh``. Where ``tests/config.json`` is there, the SWE-bench row that Harbor's adapters for SWE-bench put
there, that says which tests decide. Else ``test.sh`` itself is the judge, in a sandbox that the agent never saw
(:mod:`bai.envs.grading.verifier`). ``docs/repair_tasks.md`` says what is taken from where.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bai.envs.tasks.files import Row
from bai.envs.tasks.finite import FiniteTaskSet
from bai.envs.tasks.repair import RepairTask, TestRun
from bai.envs.tasks.swebench_rows import find_spec, repair_prompt, task_of
from bai.envs.tasks.swebench_script import START_MARK
from bai.errors import BaiError, DataError

__all__ = ["is_harbor", "load_harbor", "of_harbor_row"]

_HEREDOC = re.compile(r"<<-?\s*(['\"]?)(\w+)\1[^\n]*\n(.*?)^\2$", re.MULTILINE | re.DOTALL)
_INSTRUCTION = re.compile(r"^\s*([A-Za-z]+)\s+(\S.*)$", re.MULTILINE)
_NO_BUILD = frozenset({"FROM", "LABEL", "CMD", "ENTRYPOINT", "WORKDIR"})
"""Instructions that add nothing to an image which a repair needs."""
_COMPLETE_IMAGES = "sweb.eval."
"""In the names of SWE-bench's images, which hold all that a task needs; what is added is for Harbor's verifier."""


def is_harbor(path: Path) -> bool:
    """Whether a path is a Harbor task, or a directory of them."""
    return path.is_dir() and ((path / "task.toml").exists() or any(path.glob("*/task.toml")))


def load_harbor(path: Path, name: str | None = None) -> FiniteTaskSet[RepairTask]:
    """Loads one Harbor task, or a directory of them, in the order of their names.

    Args:
        path: The directory.
        name: Name of the set, or None for the directory's.

    Raises:
        DataError: A directory lacks a file, or its container would have to be built; the message says what.
        MalformedRow: Its ``tests/config.json`` breaks the format of rows.
    """
    single = (path / "task.toml").exists()
    folders = [path] if single else sorted(file.parent for file in path.glob("*/task.toml"))
    return FiniteTaskSet(name or str(path), map(_task_of, folders))


def _task_of(folder: Path) -> RepairTask:
    told = _read(folder / "instruction.md")
    settings = _settings(folder / "task.toml")
    facts = settings.get("metadata", {})
    metadata = {name: facts[name] for name in ("difficulty", "category") if isinstance(facts.get(name), str)}
    if not (folder / "tests" / "config.json").exists():
        return _script_task(folder.resolve(), told, metadata)
    row = _row(folder, told)
    task = task_of(row)
    image = task.image or _image(folder, settings)
    if image is None:
        _check_described(folder, task)
    return replace(
        task,
        prompt=repair_prompt(task.repo, told),
        metadata={**metadata, **task.metadata},
        image=image,
    )


def _script_task(folder: Path, told: str, metadata: Mapping[str, str]) -> RepairTask:
    """A task whose judge is its own script."""
    from bai.envs.machines.harbor import read_folder, why_built

    _refuse_several(folder)
    found = read_folder(folder)
    container = found.container
    image = found.image or (None if container.wants or container.starts_plain else container.base)
    if image is None and not container.is_plain:
        raise DataError(why_built(found))
    return RepairTask(
        task_id=folder.name,
        prompt=f"{told.rstrip()}\n\nYour working directory is {container.workdir or 'where commands start'}.\n",
        metadata={"repo": f"harbor/{folder.name}", **metadata},
        repo=f"harbor/{folder.name}",
        base_commit=found.digest,
        version="",
        problem_statement=told,
        patch="",
        test_patch="",
        fail_to_pass=(),
        pass_to_pass=(),
        log_parser="",
        run=TestRun(command=f"/tests/{found.script}", targets=()),
        image=image,
        origin={"harbor": str(folder)},
    )


def of_harbor_row(row: Row) -> RepairTask:
    """Gives the task of a row that only names a task's directory, as admission writes it.

    Raises:
        MalformedRow: There is no such directory, or it is not as it was when the row was written.
    """
    origin = row["origin"]
    folder = Path(row.path).parent / str(origin["harbor"])
    if not is_harbor(folder):
        raise row.malformed("origin.harbor", f"expected the directory of a Harbor task; got {folder}")
    task = _task_of(folder)
    if task.base_commit != row.text("base_commit"):
        raise row.malformed("base_commit", f"the task in {folder} has changed since the row was written")
    return task


def _row(folder: Path, told: str) -> Row:
    """The task's SWE-bench row, with what the directory says in other files where the row does not say it."""
    path = folder / "tests" / "config.json"
    try:
        values = json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"expected JSON in {path}: {error}") from error
    said = {field: value for field, value in Row(values, path, 1).items() if value is not None}
    if "patch" not in said:
        said["patch"] = _solution(folder / "solution")
    script = folder / "tests" / "test.sh"
    if "eval_script" not in said and script.exists() and START_MARK in (text := _read(script)):
        said["eval_script"] = text
    return Row({"instance_id": folder.name, "problem_statement": told, "test_patch": "", **said}, path, 1)


def _solution(folder: Path) -> str:
    """The gold diff: a file of its own, or what ``solve.sh`` holds as a here-document."""
    files = [*sorted(folder.glob("*.patch")), *sorted(folder.glob("*.diff"))]
    if len(files) == 1:
        return _read(files[0])
    script = _read(folder / "solve.sh")
    diffs = [match.group(3) for match in _HEREDOC.finditer(script) if re.search(r"^--- ", match.group(3), re.MULTILINE)]
    if len(diffs) != 1:
        raise DataError(
            f"{folder} is expected to hold the gold answer as one unified diff, in a .patch file or as a here-document "
            f"of solve.sh; found {len(files)} and {len(diffs)}"
        )
    return diffs[0]


def _image(folder: Path, settings: Mapping[str, Any]) -> str | None:
    """The image that the task's container starts from, if nothing has to be built upon it."""
    named = settings.get("environment", {}).get("docker_image")
    if isinstance(named, str) and named:
        return named
    _refuse_several(folder)
    text = re.sub(r"\\\n", " ", _read(folder / "environment" / "Dockerfile"))
    steps = [(match.group(1).upper(), match.group(2).split()) for match in _INSTRUCTION.finditer(text)]
    bases = [words[0] for kind, words in steps if kind == "FROM"]
    if len(bases) != 1 or "$" in bases[0]:
        return None
    plain = all(kind in _NO_BUILD for kind, _ in steps)
    return bases[0] if plain or _COMPLETE_IMAGES in bases[0] else None


def _refuse_several(folder: Path) -> None:
    """Refuses tasks of several containers."""
    if (folder / "environment" / "docker-compose.yaml").exists():
        raise DataError(f"{folder} wants several containers (environment/docker-compose.yaml); a repair runs in one")


def _check_described(folder: Path, task: RepairTask) -> None:
    """Makes sure that the environment can be had without an image, because what it needs is described.

    Raises:
        DataError: It is not.
    """
    try:
        find_spec(task.repo, task.version)
    except BaiError as error:
        raise DataError(
            f"{folder / 'environment' / 'Dockerfile'} has to be built, which bai does not do: build it and name the "
            f"image as docker_image in the section [environment] of task.toml; without an image, {error}"
        ) from error


def _settings(path: Path) -> dict[str, Any]:
    try:
        settings = tomllib.loads(_read(path))
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"expected TOML in {path}: {error}") from error
    for section in ("metadata", "environment"):
        if not isinstance(settings.get(section, {}), dict):
            raise DataError(f"expected [{section}] of {path} to be a table; got {settings[section]!r:.80}")
    return settings


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DataError(f"a Harbor task needs {path}, which is not there") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}") from error
