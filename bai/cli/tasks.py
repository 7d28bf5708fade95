"""``bai tasks``: which sets there are, what a task says, whether a set is sound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from bai.cli.output import Difficulty, difficulties, out, print_json, progress
from bai.cli.tasks_admit import admit_rows
from bai.cli.tasks_make import make_rows_of

if TYPE_CHECKING:
    from bai.envs.tasks.family import Family
    from bai.types import Task

__all__ = ["tasks"]

tasks = typer.Typer(help="Task sets: list, show, check, make and admit them.", no_args_is_help=True)
tasks.command("make")(make_rows_of)
tasks.command("admit")(admit_rows)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ENDLESS_LIMIT = 100
"""Tasks of a generator that are checked where no number is given."""


@tasks.command("list")
def list_sets(as_json: Json = False) -> None:
    """Lists the task sets, how many tasks each has here, and where files are looked for."""
    from bai.envs.tasks.family import FAMILIES
    from bai.envs.tasks.files import search_path

    rows = _found_sets()
    kinds = [kind for family in FAMILIES for kind in family.folders]
    folders = list(dict.fromkeys(str(folder) for kind in kinds for folder in search_path(kind)))
    if as_json:
        print_json({"sets": rows, "search_path": folders})
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("set", "tasks", "environment", ""):
        table.add_column(heading)
    for row in rows:
        count = "unlimited" if row["tasks"] is None and row["found"] else str(row["tasks"] or "-")
        hint = f"not on this machine; `bai tasks show {row['name']}` says where to put it" if row["problem"] else ""
        table.add_row(row["name"], count, row["env"], hint)
    out.print(table)
    out.print("files are looked for in: " + ", ".join(folders), markup=False)


def _found_sets() -> list[dict[str, Any]]:
    from bai.envs.tasks.family import FAMILIES

    return [_found_set(family, name) for family in FAMILIES for name in family.names]


def _found_set(family: Family, name: str) -> dict[str, Any]:
    from bai.errors import DataError

    row: dict[str, Any] = {"name": name, "env": family.env, "found": False, "tasks": None, "problem": ""}
    try:
        tasks = family.load(name)
    except DataError as error:
        return row | {"problem": str(error)}
    try:
        return row | {"found": True, "tasks": len(tasks)}
    except TypeError:  # it has no end
        return row | {"found": True}


@tasks.command("show")
def show(
    task_set: Annotated[str, typer.Argument(help="A name or a file of rows.")],
    task_id: Annotated[str | None, typer.Argument(help="Such as HumanEval/0; the first task if left out.")] = None,
    as_json: Json = False,
) -> None:
    """Prints what an agent may see of a task: never its hidden tests or its solution."""
    from bai.envs.tasks.coding import CodingTask
    from bai.envs.tasks.family import family_of
    from bai.evals.report.text import visible

    found = family_of(task_set).load(task_set)
    task = next(iter(found)) if task_id is None else found.get(task_id)
    public = _public(task)
    cases = task.public if isinstance(task, CodingTask) else ()
    examples = [f"{', '.join(map(repr, case.args))}) -> {case.expected!r}" for case in cases]
    if as_json:
        print_json(public)
        return
    out.print(Text(visible(public["task_id"]), style="bold"))
    out.print(visible(public["prompt"]), markup=False)
    for example in examples:
        out.print(visible(f"example: {public['entry_point']}({example}"), markup=False)
    out.print(
        visible(", ".join(f"{k}: {v}" for k, v in public["metadata"].items())), style="bright_black", markup=False
    )


def _public(task: Task) -> dict[str, Any]:
    """What every task shows, and what those of its kind show besides."""
    from bai.envs.tasks.coding import CodingTask
    from bai.envs.tasks.repair import RepairTask
    from bai.envs.tasks.tools import ToolTask

    own: dict[str, Any] = {}
    if isinstance(task, CodingTask):
        cases = [{"args": repr(case.args), "expected": repr(case.expected)} for case in task.public]
        own = {"entry_point": task.entry_point, "public": cases}
    elif isinstance(task, RepairTask):
        own = {"repo": task.repo, "version": task.version, "base_commit": task.base_commit}
    elif isinstance(task, ToolTask):
        own = {"system": task.system, "tools": [tool.to_json() for tool in task.tools]}
    return {"task_id": task.task_id, **own, "prompt": task.prompt, "metadata": dict(task.metadata)}


@tasks.command("check")
def check(
    task_set: Annotated[str, typer.Argument(help="A name or a file of rows.")],
    split: Annotated[str | None, typer.Option(help="Split of the task set; `train` for micro.")] = None,
    difficulty: Difficulty = None,
    limit: Annotated[int | None, typer.Option(help="Only the first so many tasks (generated sets: 100).")] = None,
    sandbox: Annotated[str | None, typer.Option(help="Backend; the strongest that works if left out.")] = None,
    threads: Annotated[int | None, typer.Option(help="Environments stepped at a time: 8, or 2 of repairs.")] = None,
    repos: Annotated[str | None, typer.Option(help="Repair sets: a directory of clones, or a URL with {repo}.")] = None,
    as_json: Json = False,
) -> None:
    """Runs the gold answer and the empty answer over a set; exit code 1 if the set is unsound."""
    from bai.envs.tasks.family import ENDLESS, REPAIR, family_of
    from bai.evals.check import check_tasks
    from bai.evals.report.text import visible

    family = family_of(task_set)
    given = {"split": split, "difficulty": difficulties(difficulty or ()) or None, "sandbox": sandbox, "repos": repos}
    options = {"task_set": task_set, **{name: value for name, value in given.items() if value is not None}}
    if family is REPAIR:  # one turn takes a patch, and the empty one
        options |= {"mode": "patch", "context": "none"}
    limit = ENDLESS_LIMIT if limit is None and task_set in ENDLESS else limit
    with progress("checking") as listen:
        found = check_tasks(
            options,
            env=family.env,
            limit=limit,
            threads=threads or (2 if family is REPAIR else 8),
            on_progress=listen,
        )
    if as_json:
        print_json(found.to_json())
    else:
        for title, problems in (("gold answer fails", found.unsolved), ("empty answer earns", found.unearned)):
            for task_id, said in problems.items():
                out.print(visible(f"{title}: {task_id}: {said}"), markup=False)
        out.print(
            f"{found.tasks} tasks: {found.solved} gold answers pass, "
            f"{len(found.unearned)} empty answers earn, {found.lost} attempts lost to the machinery",
            markup=False,
        )
    if not found.ok:
        raise typer.Exit(1)
