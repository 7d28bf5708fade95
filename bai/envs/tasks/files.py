"""Finding and reading the files of public task sets.

Nothing is downloaded. A set is looked for in ``BAI_DATA_DIR`` (in its ``code`` folder, then directly in
it), then in ``bai`` of the user's cache directory (``XDG_CACHE_HOME``, or ``~/.cache``), in the same two
places.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bai.errors import MalformedRow, MissingDependency, TaskSetNotFound

__all__ = ["Row", "locate", "read_rows", "search_path"]


class Row(Mapping[str, Any]):
    """One line of a file; a field that is absent or of the wrong type names the file, line and field."""

    def __init__(self, values: Any, path: Path, line: int) -> None:
        self.path, self.line = str(path), line
        if not isinstance(values, dict):
            raise self.malformed("", f"expected an object; got {_kind(values)}")
        self._values = values

    def __getitem__(self, field: str) -> Any:
        if field not in self._values:
            raise self.malformed(field, "is missing")
        return self._values[field]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, field: object) -> bool:
        return field in self._values

    def get(self, field: str, default: Any = None) -> Any:
        """Gives a field, or ``default`` where it is absent."""
        return self._values.get(field, default)

    def text(self, field: str, default: str | None = None) -> str:
        """Gives a field that is a string; ``default`` where it is absent, unless that is None."""
        value = self[field] if default is None or field in self._values else default
        if not isinstance(value, str):
            raise self.malformed(field, f"expected a string; got {_kind(value)}")
        return value

    def filled(self, field: str) -> str:
        """Gives a field that is a string with more than blanks in it."""
        text = self.text(field)
        if not text.strip():
            raise self.malformed(field, "expected some text; got an empty string")
        return text

    def mapping(self, field: str) -> dict[str, Any]:
        """Gives a field that is an object; empty where it is absent or null."""
        value = self._values.get(field) or {}
        if not isinstance(value, dict):
            raise self.malformed(field, f"expected an object; got {_kind(value)}")
        return value

    def number(self, field: str, default: float) -> float:
        """Gives a field that is a number of at least 0; ``default`` where it is absent."""
        value = self._values.get(field, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
            raise self.malformed(field, f"expected a number of at least 0; got {value!r:.80}")
        return float(value)

    def items_of(self, field: str, kind: type = object) -> list[Any]:
        """Gives a field that is a list whose items are all of one type; empty where it is absent."""
        value = self._values.get(field, [])
        if not isinstance(value, list):
            raise self.malformed(field, f"expected a list; got {_kind(value)}")
        for index, item in enumerate(value):
            if not isinstance(item, kind):
                raise self.malformed(f"{field}[{index}]", f"expected {_NAMES[kind]}; got {_kind(item)}")
        return value

    def malformed(self, field: str, problem: str) -> MalformedRow:
        """Gives the error to raise about a field of this row."""
        return MalformedRow(self.path, self.line, field, problem)


_NAMES = {dict: "an object", list: "a list", str: "a string", int: "a number", float: "a number", bool: "a boolean"}


def _kind(value: Any) -> str:
    return "null" if value is None else _NAMES.get(type(value), type(value).__name__)


def read_rows(path: Path) -> Iterator[Row]:
    r"""Reads JSON lines (gzipped where the name ends in ``.gz``), or what the ``datasets`` library reads.

    Lines end at ``\n`` only: U+2028 and its like may stand inside a string. Blank lines are passed over.
    A ``.json`` file may also be one list of rows, or one object whose values are all rows; there the line is the
    row's number.
    A directory, ``.parquet``, ``.arrow`` and ``.csv`` go through ``datasets``; there a field that a table
    cannot hold is a string of JSON, and the line is the row's number.

    Raises:
        MalformedRow: A line is not UTF-8, not JSON or not an object.
        MissingDependency: ``datasets`` is wanted and not installed.
    """
    if path.is_dir() or path.suffix in _TABLES:
        yield from (Row(_unpacked(values), path, number) for number, values in enumerate(_table(path), start=1))
        return
    data = _read(path)
    if path.name.removesuffix(".gz").endswith(".json") and (rows := _document(data)) is not None:
        yield from (Row(values, path, number) for number, values in enumerate(rows, start=1))
        return
    for number, line in enumerate(data.split(b"\n"), start=1):
        if line.strip():
            yield Row(_parse(line, path, number), path, number)


_TABLES = {".parquet": "parquet", ".arrow": "arrow", ".csv": "csv"}
_NESTED = ("cases", "inputs", "public", "metadata", "proxies")


def _table(path: Path) -> Iterator[dict[str, Any]]:
    try:
        import datasets
    except ImportError as error:
        raise MissingDependency("datasets", "pip install 'bai-rl[data]'", f"reading {path}") from error
    try:
        if path.is_dir():
            found = datasets.load_from_disk(str(path))
        else:
            found = datasets.load_dataset(_TABLES[path.suffix], data_files=str(path))
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise MalformedRow(str(path), 1, "", f"expected a data set that 'datasets' can read; {error}") from error
    parts = found.values() if isinstance(found, dict) else [found]
    yield from (dict(row) for part in parts for row in part)


def _unpacked(values: dict[str, Any]) -> dict[str, Any]:
    present = {field: value for field, value in values.items() if value is not None}
    for field in _NESTED:
        if isinstance(present.get(field), str):
            with contextlib.suppress(ValueError):  # then it is malformed, and whoever wants the field says so
                present[field] = json.loads(present[field])
    return present


def _read(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix != ".gz":
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise MalformedRow(str(path), 1, "", f"expected a whole gzip file; got {error}") from error


def _document(data: bytes) -> list[Any] | None:
    """Gives the rows of a file that is one JSON value; None where it is to be read by lines."""
    try:
        whole = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if isinstance(whole, dict) and all(isinstance(value, dict) for value in whole.values()):
        return list(whole.values())
    return whole if isinstance(whole, list) else None


def _parse(line: bytes, path: Path, number: int) -> Any:
    try:
        return json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise MalformedRow(str(path), number, "", f"expected UTF-8; got byte {line[error.start]:#04x}") from error
    except (ValueError, RecursionError) as error:
        raise MalformedRow(str(path), number, "", f"expected JSON; {error}") from error


def search_path(kind: str = "code") -> list[Path]:
    """Gives the folders that files are looked for in, best first.

    Args:
        kind: Name of the folder that is looked into first, below each place.
    """
    roots = [Path(value) for value in (os.environ.get("BAI_DATA_DIR"),) if value]
    cache = os.environ.get("XDG_CACHE_HOME")
    roots.append((Path(cache) if cache else Path.home() / ".cache") / "bai")
    return [folder for root in roots for folder in (root / kind, root)]


def locate(task_set: str, file_name: str, kind: str = "code") -> Path:
    """Finds a file of a public set, or the same rows in another dress.

    Beside ``file_name`` these names are good: without ``.gz`` or with it, ``TASK_SET.parquet``, and a
    directory ``TASK_SET`` that ``datasets`` saved.

    Args:
        task_set: Its name.
        file_name: Of the file.
        kind: As in :func:`search_path`.

    Raises:
        TaskSetNotFound: It is in none of the folders; the message says where to put which file.
    """
    plain = file_name.removesuffix(".gz")
    names = list(dict.fromkeys([file_name, plain, f"{plain}.gz", f"{task_set}.parquet", task_set]))
    folders = search_path(kind)
    for path in (folder / name for folder in folders for name in names):
        if path.exists():
            return path
    hint = "" if os.environ.get("BAI_DATA_DIR") else ", or set BAI_DATA_DIR to a folder that holds it"
    raise TaskSetNotFound(
        f"task set {task_set!r} is not on this machine: put {file_name} at {folders[-1] / file_name}{hint}; looked "
        f"for {', '.join(names)} in {', '.join(map(str, folders))}"
    )
