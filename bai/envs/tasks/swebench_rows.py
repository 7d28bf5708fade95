"""One SWE-bench row: read into a :class:`~bai.envs.tasks.repair.RepairTask`, and written from one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from bai.envs.tasks.files import Row
from bai.envs.tasks.repair import EvalType, RepairTask, TestRun
from bai.envs.tasks.swebench_parsers import PARSERS
from bai.envs.tasks.swebench_script import default_targets, read_script, write_script
from bai.errors import BaiError, ConfigError

if TYPE_CHECKING:
    from bai.envs.machines.specs import Spec

__all__ = ["find_spec", "repair_prompt", "row_of", "run_of", "task_of"]

_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_CONDA_IMAGES = "sweb.eval."
"""SWE-bench's own images have this in their names; their interpreter has to be activated."""

_PROMPT = """\
The repository {repo} is your working directory. An issue was opened about it:

<issue>
{problem}
</issue>
{hints}
Change the repository's source so that what the issue describes is put right, and everything else goes on working. \
Hidden tests decide: those of the issue, which fail now, and those that pass now. Changes to tests or to their \
configuration do not count, and an answer that contains them may be refused as tampering.\
"""


def repair_prompt(repo: str, problem_statement: str, hints: str = "") -> str:
    """Gives what an agent is told of a task; how its answers are written is for the environment to say."""
    told = f"\nWhat was said below it before it was resolved:\n\n<hints>\n{hints.strip()}\n</hints>\n" if hints else ""
    return _PROMPT.format(repo=repo, problem=problem_statement.strip(), hints=told)


def task_of(row: Row, *, split: str = "", hints: bool = False) -> RepairTask:
    """Reads one row of either generation.

    Args:
        row: The row.
        split: Its split, unless it says so itself; empty where unknown.
        hints: Whether the prompt holds ``hints_text``, which was written by people who knew more than the issue says.

    Raises:
        MalformedRow: A field is missing or is not what it should be.
    """
    repo, version = row.filled("repo"), row.text("version")
    test_patch, problem = row.text("test_patch"), row.filled("problem_statement")
    facts = {name: row.text(name, "") for name in ("created_at", "difficulty")}
    facts = {"repo": repo, "version": version, "split": row.text("split", split), **facts}
    run, parser = _run(row, repo, version, test_patch)
    fail_to_pass, pass_to_pass = _ids(row, "FAIL_TO_PASS"), _ids(row, "PASS_TO_PASS")
    if not fail_to_pass + pass_to_pass:
        raise row.malformed("FAIL_TO_PASS", "expected at least one test, here or in PASS_TO_PASS; got none")
    return RepairTask(
        task_id=row.filled("instance_id"),
        prompt=repair_prompt(repo, problem, row.text("hints_text", "") if hints else ""),
        metadata={name: value for name, value in facts.items() if value},
        repo=repo,
        base_commit=_commit(row),
        version=version,
        problem_statement=problem,
        patch=row.text("patch"),
        test_patch=test_patch,
        fail_to_pass=fail_to_pass,
        pass_to_pass=pass_to_pass,
        log_parser=_one_of(row, "log_parser", parser, PARSERS),
        eval_type=_one_of(row, "eval_type", "pass_and_fail", get_args(EvalType)),
        run=run,
        image=_optional(row, "image") or None,
        origin=_origin(row),
    )


def run_of(repo: str, version: str, test_patch: str) -> TestRun:
    """Gives how SWE-bench 4.x runs the tests of a row, from what is known of the repository's version.

    Raises:
        BaiError: The version is not described.
    """
    spec = find_spec(repo, version)
    return TestRun(command=spec.test_command, targets=default_targets(repo, test_patch), before=spec.before)


def row_of(task: RepairTask) -> dict[str, Any]:
    """Gives a task as a 5.x row, which :func:`task_of` reads back and SWE-bench's own harness runs.

    Raises:
        ConfigError: What runs before its tests is of a kind that is not read back.
    """
    if "harbor" in task.origin:
        # All that it is lies in its directory.
        named = {"instance_id": task.task_id, "repo": task.repo, "base_commit": task.base_commit}
        return {**named, "origin": dict(task.origin)}
    script = write_script(
        task.run,
        base_commit=task.base_commit,
        test_patch=task.test_patch,
        conda=_CONDA_IMAGES in (task.image or ""),
    )
    if read_script(script, task.run.targets, exactly=True) != task.run:
        raise ConfigError(f"task {task.task_id!r} cannot be written as a row: its run is not read back as {task.run}")
    facts = {name: task.metadata[name] for name in ("split", "difficulty") if name in task.metadata}
    return {
        "instance_id": task.task_id,
        "repo": task.repo,
        "base_commit": task.base_commit,
        "environment_setup_commit": task.base_commit,
        "version": task.version,
        "created_at": task.metadata.get("created_at", ""),
        "problem_statement": task.problem_statement,
        "hints_text": "",
        "patch": task.patch,
        "test_patch": task.test_patch,
        "FAIL_TO_PASS": list(task.fail_to_pass),
        "PASS_TO_PASS": list(task.pass_to_pass),
        "image": task.image,
        "eval_script": script,
        "eval_type": task.eval_type,
        "log_parser": task.log_parser,
        "targets": list(task.run.targets),
        **facts,
        **({"origin": dict(task.origin)} if task.origin else {}),
    }


def _run(row: Row, repo: str, version: str, test_patch: str) -> tuple[TestRun, str | None]:
    """How the tests are run, and the parser where the row need not say it."""
    script = _optional(row, "eval_script")
    if not script:
        try:
            return run_of(repo, version, test_patch), find_spec(repo, version).log_parser
        except BaiError as error:
            raise row.malformed("eval_script", f"is missing, and {error}") from error
    exactly = row.get("targets") is not None
    targets = _ids(row, "targets") if exactly else default_targets(repo, test_patch)
    try:
        return read_script(script, targets, exactly=exactly), None
    except ValueError as error:
        raise row.malformed("eval_script", str(error)) from error


def find_spec(repo: str, version: str) -> Spec:
    """Gives what is known of a repository's version.

    Raises:
        BaiError: Nothing is.
    """
    from bai.envs.machines import specs

    return specs.find_spec(repo, version)


def _optional(row: Row, field: str) -> str:
    """A field that is a string, or absent, or null."""
    return "" if row.get(field) is None else row.text(field)


def _commit(row: Row) -> str:
    text = row.text("base_commit")
    if not _COMMIT.fullmatch(text):
        raise row.malformed("base_commit", f"expected 7 to 64 hexadecimal digits; got {text!r:.80}")
    return text


def _one_of(row: Row, field: str, default: str | None, choices: Any) -> Any:
    value = default if row.get(field) is None and default is not None else row.text(field)
    if value not in choices:
        raise row.malformed(field, f"expected one of {', '.join(sorted(choices))}; got {value!r:.80}")
    return value


def _ids(row: Row, field: str) -> tuple[str, ...]:
    value = _decoded(row, field)
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise row.malformed(field, f"expected a list of strings, or one written as JSON; got {value!r:.80}")
    return tuple(value)


def _origin(row: Row) -> Mapping[str, str]:
    value = _decoded(row, "origin") if row.get("origin") else {}
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise row.malformed("origin", f"expected an object of strings; got {value!r:.80}")
    if value and len({"library", "tree"} & set(value)) != 1:
        raise row.malformed("origin", f"expected either 'library' or 'tree'; got {', '.join(sorted(value))}")
    if unknown := sorted(set(value) - {"library", "tree", "bug", "requires"}):
        raise row.malformed(
            f"origin.{unknown[0]}", "is no field of the format; expected library, tree, bug or requires"
        )
    if "tree" in value:  # a path beside the rows
        return {**value, "tree": str((Path(row.path).parent / value["tree"]).resolve())}
    return value


def _decoded(row: Row, field: str) -> Any:
    """A list or an object, which a table holds as a string of JSON."""
    value = row[field]
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value
