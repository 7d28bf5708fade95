"""QuixBugs: 40 classic algorithms with one faulty line each, to be repaired.

Source: Lin et al. 2017, "QuixBugs: A Multi-Lingual Program Repair Benchmark Set"; files
``quixbugs_python.jsonl`` (fields ``name``, ``buggy``, ``correct``, ``pytest``, ``node_helper``) and
``quixbugs_json_testcases/NAME.json`` beside it (one ``[arguments, expected]`` a line). The prompt is the
faulty program with its own description. 31 programs are judged by the JSON cases, nine by the set's
pytest functions, run in the judge. Programs over linked nodes get their graph as plain data, rebuilt in
the candidate's process by a public adapter (:mod:`bai.envs.tasks.graphs`). As in the set's own tests, the
cases of ``knapsack`` and ``levenshtein`` that take minutes are left out.
"""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

from bai.envs.tasks.coding import Case, CaseTests, CodingTask, ScriptTests, Tests
from bai.envs.tasks.files import Row, locate, read_rows
from bai.envs.tasks.finite import FiniteTaskSet
from bai.envs.tasks.graphs import graph_adapter, graph_proxy
from bai.envs.tasks.syntax import parse
from bai.errors import MalformedRow, TaskSetNotFound

__all__ = ["load_quixbugs"]

_CALL = "bai_call"
_GENERATORS = ("flatten", "kheapsort")
"""Return generators: the adapter lists them where they are."""
_PAIRS = ("hanoi",)
"""Return tuples, which the JSON cases write as lists."""
_TOO_SLOW = {"knapsack": 24, "levenshtein": 51}
"""Length of the longest argument of the case that takes minutes."""


def load_quixbugs(path: Path | None = None) -> FiniteTaskSet[CodingTask]:
    """Loads QuixBugs.

    Raises:
        TaskSetNotFound: The file, or the folder of JSON cases beside it, is not on this machine.
        MalformedRow: A row or a case breaks the format.
    """
    path = path or locate("quixbugs", "quixbugs_python.jsonl")
    cases = path.parent / "quixbugs_json_testcases"
    if not cases.is_dir():
        raise TaskSetNotFound(f"task set 'quixbugs' is not whole: put its folder quixbugs_json_testcases at {cases}")
    return FiniteTaskSet("quixbugs", (_task(row, cases) for row in read_rows(path)))


def _task(row: Row, folder: Path) -> CodingTask:
    name, file = row.text("name"), folder / f"{row.text('name')}.json"
    hidden = _case_tests(name, file) if file.exists() else _script_tests(row, name)
    public = tuple(filter(_is_short, hidden.cases[:1])) if isinstance(hidden, CaseTests) and not hidden.adapter else ()
    return CodingTask(
        task_id=f"QuixBugs/{name}",
        prompt=_prompt(row, public),
        metadata={"source": "quixbugs", "split": "test"},
        entry_point=name,
        public=public,
        hidden=hidden,
        reference=row.text("correct"),
        prelude=_node_class(row),
    )


def _node_class(row: Row) -> str:
    return row.text("node_helper") if row.get("node_helper") else ""


def _prompt(row: Row, public: tuple[Case, ...]) -> str:
    node = (
        f"\nIt works on this class, which is there already:\n\n```python\n{_node_class(row).strip()}\n```\n"
        if _node_class(row)
        else ""
    )
    shown = "".join(
        f"\nFor example, {row.text('name')}{_arguments(case)} returns {case.expected!r}.\n" for case in public
    )
    return (
        f"The program below has a fault in one line. Write the repaired program.\n{node}{shown}\n"
        f"```python\n{row.text('buggy').strip()}\n```\n"
    )


def _is_short(case: Case) -> bool:
    return len(repr(case)) < 400


def _arguments(case: Case) -> str:
    return f"({', '.join(map(repr, case.args))})"


def _case_tests(name: str, file: Path) -> Tests:
    cases = tuple(case for case in _json_cases(file) if not _is_too_slow(name, case))
    if name == "sqrt":  # each case brings its own tolerance, as its last argument
        checks = (f"assert abs(sqrt(*{case.args!r}) - {case.expected!r}) <= {case.args[-1]!r}" for case in cases)
        return ScriptTests(script="\n".join(checks), proxies=(name,))
    if name in _PAIRS:
        cases = tuple(Case(args=case.args, expected=[tuple(pair) for pair in case.expected]) for case in cases)
    if name in _GENERATORS:
        adapter = f"def {_CALL}(*args):\n    return list({name}(*args))\n"
        return CaseTests(cases=cases, adapter=adapter, call=_CALL)
    return CaseTests(cases=cases)


def _json_cases(file: Path) -> list[Case]:
    cases = []
    for number, line in enumerate(file.read_bytes().split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            arguments, expected = json.loads(line)
        except (ValueError, TypeError) as error:
            raise MalformedRow(str(file), number, "", f"expected [arguments, expected]; {error}") from error
        cases.append(Case(args=_as_arguments(arguments), expected=expected))
    return cases


def _as_arguments(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list) else (value,)


def _is_too_slow(name: str, case: Case) -> bool:
    sized = (arg for arg in case.args if isinstance(arg, (list, str)))
    return name in _TOO_SLOW and max(map(len, sized), default=0) == _TOO_SLOW[name]


def _script_tests(row: Row, name: str) -> ScriptTests:
    tests = _without_imports(row)
    node = _node_class(row)
    if not node:
        return ScriptTests(script=tests, proxies=(name,))
    script = f"{graph_proxy(name, _CALL)}\n{tests}"
    return ScriptTests(script=script, proxies=(_CALL,), setup=node, adapter=graph_adapter(name, _CALL))


def _without_imports(row: Row) -> str:
    """The set's pytest file as a script: no imports, no choice of program, its test functions called in turn."""
    try:
        body = parse(row.text("pytest")).body
    except ValueError as error:
        raise row.malformed("pytest", f"expected Python source; {error}") from error
    kept = [node for node in body if not isinstance(node, (ast.Import, ast.ImportFrom, ast.If))]
    calls = [f"{node.name}()" for node in kept if isinstance(node, ast.FunctionDef) and node.name.startswith("test")]
    return "\n".join([*(ast.unparse(node) for node in kept), *calls])
