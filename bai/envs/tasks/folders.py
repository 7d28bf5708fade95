"""Finding public sets whose data are several files in one folder."""

from __future__ import annotations

from pathlib import Path

from bai.envs.tasks.files import search_path
from bai.errors import TaskSetNotFound

__all__ = ["find_files"]


def find_files(task_set: str, place: str, *patterns: str) -> tuple[Path, ...]:
    """Finds the files of a public set, which lie in one folder.

    It is looked for where :mod:`bai.envs.tasks.files` looks, in ``BAI_DATA_DIR`` and then in ``bai`` of the user's
    cache directory: at ``place`` there, at the last part of ``place``, and directly.

    Args:
        task_set: Name of the set, for the message.
        place: Relative folder, such as ``sql/spider``.
        patterns: What each file is called there, as ``glob`` has it; of several that fit one, the first by name is
            given.

    Returns:
        A file for each pattern.

    Raises:
        TaskSetNotFound: No folder holds them all; the message says where to put which files.
    """
    kind, _, last = place.rpartition("/")
    folders = [folder for part in search_path(kind) for folder in (part / last, part)]
    for folder in folders:
        found = [min(folder.glob(pattern), default=None) for pattern in patterns]
        if None not in found:
            return tuple(path for path in found if path is not None)
    raise TaskSetNotFound(
        f"task set {task_set!r} is not on this machine: put {' and '.join(patterns)} into {place} of the folder that "
        f"BAI_DATA_DIR names, or into {folders[-2]}; looked in {', '.join(map(str, folders))}"
    )
