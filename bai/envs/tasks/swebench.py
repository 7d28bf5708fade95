"""Sets of repair tasks in SWE-bench's own row format (Jimenez et al. 2024, arXiv:2310.06770).

Both generations are read: 5.x rows, which carry ``image``, ``eval_script``, ``log_parser`` and ``eval_type``; and 4.x
rows, which leave that to what is known of the repository's version. ``docs/repair_tasks.md`` has the fields.
"""

from __future__ import annotations

import functools
import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from bai.envs.stamps import Stamp, stamp
from bai.envs.tasks.files import Row, read_rows, search_path
from bai.envs.tasks.finite import FiniteTaskSet
from bai.envs.tasks.harbor import is_harbor, load_harbor, of_harbor_row
from bai.envs.tasks.repair import RepairTask
from bai.envs.tasks.selection import filtered
from bai.envs.tasks.swebench_rows import row_of, task_of
from bai.errors import ConfigError, TaskSetNotFound

__all__ = ["PUBLIC_REPAIR_SETS", "load_repair_rows", "load_repair_set", "write_rows"]

PUBLIC_REPAIR_SETS: dict[str, tuple[str, ...]] = {
    "swebench_lite": ("swebench_lite", "SWE-bench_Lite", "lite_v5", "lite"),
    "swebench_verified": ("swebench_verified", "SWE-bench_Verified", "verified_v5", "verified"),
    "swebench": ("swebench", "SWE-bench", "full_v5", "full"),
}
"""Sets whose files have to be on this machine, with the names of files or directories that are looked for."""

_ENDINGS = (".parquet", ".jsonl", ".jsonl.gz", ".json", "")
_FILTERS = ("split", "difficulty", "repo", "version")
_DEFAULT = Path(__file__).parents[2] / "assets" / "repair" / "default.jsonl"


def load_repair_rows(path: Path, name: str | None = None, *, hints: bool = False) -> FiniteTaskSet[RepairTask]:
    """Loads SWE-bench rows of either generation.

    Args:
        path: ``.json`` (a list, or an object of rows), ``.jsonl``, either gzipped; ``.parquet``; or a directory that
            holds ``SPLIT.parquet`` files or was saved by ``datasets``.
        name: Name of the set, or None for the file's.
        hints: Whether prompts hold ``hints_text``: what was said below the issue before it was resolved.

    Raises:
        TaskSetNotFound: There is no such file.
        MalformedRow: A row breaks the format; names the file, the line and the field.
        MissingDependency: ``datasets`` is wanted and not installed.
    """
    path = Path(path)
    if not path.exists():
        raise TaskSetNotFound(f"there is no file or directory {str(path)!r} of SWE-bench rows")
    found = (_task_of(row, split, hints=hints) for part, split in _parts(path) for row in read_rows(part))
    return FiniteTaskSet(name or str(path), found)


def _task_of(row: Row, split: str, *, hints: bool) -> RepairTask:
    origin = row.get("origin")
    if isinstance(origin, dict) and set(origin) == {"harbor"}:
        return of_harbor_row(row)
    return task_of(row, split=split, hints=hints)


def write_rows(path: Path, tasks: Iterable[RepairTask]) -> None:
    """Writes tasks as 5.x rows: ``.jsonl``, ``.jsonl.gz`` or ``.json``, whatever the file's name ends in.

    A tree that a task starts from is named relative to the file where it lies beside or below it.

    Raises:
        ConfigError: The name ends in something else, or a task cannot be read back as it is.
    """
    path = Path(path)
    rows = [_beside(path, row_of(task)) for task in tasks]
    if path.name.endswith(".json"):
        text = json.dumps(rows, indent=1) + "\n"
    elif path.name.endswith((".jsonl", ".jsonl.gz")):
        text = "".join(f"{json.dumps(row)}\n" for row in rows)
    else:
        raise ConfigError(f"rows are written to .jsonl, .jsonl.gz or .json; got {path.name!r}")
    data = text.encode("ascii")
    path.write_bytes(gzip.compress(data, mtime=0) if path.name.endswith(".gz") else data)


def load_repair_set(name_or_path: str | Path, **filters: Any) -> FiniteTaskSet[RepairTask]:
    """Gives a set of repair tasks; one that was loaded before is read again only if its files have changed since.

    Args:
        name_or_path: ``default``, the set that is part of bai; ``swebench_lite``, ``swebench_verified`` or
            ``swebench``, looked for in ``swebench`` of ``BAI_DATA_DIR`` and of bai's cache folder; a path, as
            :func:`load_repair_rows` has it; or a directory of Harbor tasks.
        filters: ``split``, ``difficulty``, ``repo`` and ``version``: a value or a list of values that the tasks'
            metadata must have; None means no filter.

    Raises:
        ConfigError: A filter that is not known, or that leaves no task.
        TaskSetNotFound: There is no such set, or its files are not on this machine.
        MalformedRow: A row of its file breaks the format.
        DataError: A Harbor task is not one of repair.
    """
    if not isinstance(name_or_path, (str, Path)) or not str(name_or_path):
        raise ConfigError(f"a set of repair tasks is a name or a path; got {name_or_path!r}")
    given = {name: value for name, value in filters.items() if value is not None}
    if unknown := sorted(set(given) - set(_FILTERS)):
        raise ConfigError(f"a set of repair tasks takes {', '.join(_FILTERS)}; got {', '.join(unknown)}")
    path = _locate(name_or_path).resolve()
    tasks = _load(str(path), str(name_or_path), stamp([path]))
    return filtered(tasks, given) if given else tasks


def _locate(name_or_path: str | Path) -> Path:
    if name_or_path == "default":
        return _DEFAULT
    if name_or_path in PUBLIC_REPAIR_SETS:
        return _locate_public(str(name_or_path))
    path = Path(name_or_path).expanduser()
    if not path.exists():
        known = ", ".join(["default", *PUBLIC_REPAIR_SETS])
        raise TaskSetNotFound(
            f"there is no set of repair tasks and no file {str(name_or_path)!r}: expected one of {known}, or the path "
            f"of SWE-bench rows or Harbor tasks (docs/repair_tasks.md)"
        )
    return path


def _locate_public(name: str) -> Path:
    folders = [folder for folder in search_path("swebench") if folder.name == "swebench"]
    names = [f"{stem}{ending}" for stem in PUBLIC_REPAIR_SETS[name] for ending in _ENDINGS]
    for path in (folder / each for folder in folders for each in names):
        if path.exists():
            return path
    raise TaskSetNotFound(
        f"task set {name!r} is not on this machine: put its rows at {folders[-1] / name}.parquet, or in the folder "
        f"'swebench' of BAI_DATA_DIR; looked in {', '.join(map(str, folders))} for {', '.join(names)}"
    )


@functools.lru_cache(maxsize=16)
def _load(path: str, name: str, stamp: Stamp) -> FiniteTaskSet[RepairTask]:
    return load_harbor(Path(path), name) if is_harbor(Path(path)) else load_repair_rows(Path(path), name)


def _parts(path: Path) -> Iterator[tuple[Path, str]]:
    """The files or saved data sets that a path stands for, each with its split."""
    if not path.is_dir() or (path / "dataset_info.json").exists():
        yield path, ""
        return
    splits = [*sorted(path.glob("*.parquet")), *sorted(info.parent for info in path.glob("*/dataset_info.json"))]
    if not splits:
        raise TaskSetNotFound(
            f"expected {path} to hold SPLIT.parquet or a data set that 'datasets' saved; it has neither"
        )
    yield from ((part, part.stem if part.suffix == ".parquet" else part.name) for part in splits)


def _beside(path: Path, row: dict[str, Any]) -> dict[str, Any]:
    origin, folder = row.get("origin", {}), path.parent.resolve()
    named = {name: Path(origin[name]) for name in ("tree", "harbor") if name in origin}
    inner = {name: at.relative_to(folder).as_posix() for name, at in named.items() if at.is_relative_to(folder)}
    return {**row, "origin": {**origin, **inner}} if inner else row
