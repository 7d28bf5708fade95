"""DABench (Hu et al. 2024, arXiv:2401.05507): questions about tables of real data, with closed answers.

Its files are ``questions.jsonl`` and ``labels.jsonl`` and the folder ``tables``, in the folder ``dabench``.
"""

from __future__ import annotations

from pathlib import Path

from bai.envs.tasks.files import Row, read_rows
from bai.envs.tasks.finite import FiniteTaskSet
from bai.envs.tasks.notebook import Expected, NotebookTask

__all__ = ["load_dabench"]


def load_dabench(folder: Path) -> FiniteTaskSet[NotebookTask]:
    """Reads it.

    Raises:
        MalformedRow: A row breaks the format, or names a table or a label that is not there.
    """
    labels = {row["id"]: row for row in read_rows(folder / "labels.jsonl")}
    tables: dict[str, bytes] = {}
    return FiniteTaskSet(
        "dabench", [_task(row, labels, folder / "tables", tables) for row in read_rows(folder / "questions.jsonl")]
    )


def _task(row: Row, labels: dict[int, Row], folder: Path, tables: dict[str, bytes]) -> NotebookTask:
    name = row.text("file_name")
    if Path(name).name != name or not (folder / name).is_file():
        raise row.malformed("file_name", f"expected the name of a file in {folder}; got {name!r:.100}")
    if row["id"] not in labels:
        raise row.malformed("id", f"expected one that has a label; got {row['id']!r}")
    label = labels[row["id"]]
    # Several questions are about one table.
    data = tables.setdefault(name, (folder / name).read_bytes())
    return NotebookTask(
        task_id=f"dabench/{row['id']}",
        prompt=_prompt(row, name),
        metadata={"source": "dabench", "difficulty": row.text("level"), "concepts": row.items_of("concepts", str)},
        files={name: data},
        expected=tuple(_expected(label, pair) for pair in label.items_of("common_answers", list)),
    )


def _expected(label: Row, pair: list[object]) -> Expected:
    if len(pair) != 2 or not all(isinstance(part, str) for part in pair):
        raise label.malformed("common_answers", f"expected pairs of a name and a value; got {pair!r:.100}")
    return Expected(name=str(pair[0]), value=str(pair[1]))


def _prompt(row: Row, name: str) -> str:
    parts = {
        "Question": row.text("question"),
        "Constraints": row.text("constraints"),
        "Format of the answer": row.text("format"),
        "File": f"{name}, in the working directory",
    }
    return "".join(f"{title}: {text.strip()}\n" for title, text in parts.items() if text.strip())
