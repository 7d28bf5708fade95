"""MBPP: 974 short functions to write from one sentence.

Source: Austin et al. 2021, "Program Synthesis with Large Language Models"; file ``mbpp.jsonl`` with the
fields ``task_id``, ``text``, ``code``, ``test_list``, ``test_setup_code`` and ``challenge_test_list``.
Splits are the paper's, by number: ``prompt`` 1-10, ``test`` 11-510, ``validation`` 511-600, ``train``
601-974. What differs: the prompt shows the first assertion alone, so that the others are hidden tests;
and where a test builds an object of a class of the candidate's (tasks 367 and 927, the set-up code),
that expression is evaluated in the candidate's process and only its plain result travels.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from bai.envs.tasks.coding import Case, CodingTask, ScriptTests
from bai.envs.tasks.examples import case_of_assert
from bai.envs.tasks.files import Row, locate, read_rows
from bai.envs.tasks.finite import FiniteTaskSet
from bai.envs.tasks.syntax import parse

__all__ = ["load_mbpp"]

_SPLITS = ((10, "prompt"), (510, "test"), (600, "validation"))


def load_mbpp(path: Path | None = None) -> FiniteTaskSet[CodingTask]:
    """Loads MBPP.

    Raises:
        TaskSetNotFound: The file is not on this machine.
        MalformedRow: A row breaks the format.
    """
    path = path or locate("mbpp", "mbpp.jsonl")
    return FiniteTaskSet("mbpp", (_task(row) for row in read_rows(path)))


def _task(row: Row) -> CodingTask:
    reference = row.text("code").replace("\r\n", "\n")
    setup = row.text("test_setup_code", "").replace("\r\n", "\n").strip()
    shown, *others = [test.strip() for test in row.items_of("test_list", str)] or [""]
    proxies = _called(row, "\n".join([shown, *others]), reference)
    script, adapter = _lift([shown, *others, *row.items_of("challenge_test_list", str)], setup, row)
    number = row["task_id"]
    if not isinstance(number, int):
        raise row.malformed("task_id", f"expected a number; got {number!r:.80}")
    return CodingTask(
        task_id=f"MBPP/{number}",
        prompt=_prompt(row.text("text"), shown, setup),
        metadata={"source": "mbpp", "split": _split(number)},
        entry_point=proxies[0],
        public=tuple(_public(shown, proxies[0])) if not setup else (),
        hidden=ScriptTests(script=script, proxies=(*proxies, *_names_of(adapter)), adapter=adapter),
        reference=reference,
    )


def _split(number: int) -> str:
    return next((name for last, name in _SPLITS if number <= last), "train")


def _prompt(text: str, shown: str, setup: str) -> str:
    built = f"\nThe tests first run this, with classes that you define:\n{setup}\n" if setup else ""
    return f"{text.strip()}\n{built}\nYour code should pass this test:\n{shown}\n"


def _public(shown: str, entry_point: str) -> Iterator[Case]:
    case = case_of_assert(shown, entry_point)
    if case is not None:
        yield case


def _called(row: Row, tests: str, reference: str) -> list[str]:
    """Names that the tests call and the reference defines; the first is the entry point."""
    try:
        defined = {name for node in parse(reference).body for name in _defines(node)}
    except ValueError as error:
        raise row.malformed("code", f"expected Python source; {error}") from error
    try:
        calls = [node.func for node in ast.walk(parse(tests)) if isinstance(node, ast.Call)]
    except ValueError as error:
        raise row.malformed("test_list", f"expected Python assertions; {error}") from error
    names = [func.id for func in calls if isinstance(func, ast.Name) and func.id in defined]
    if not names:
        raise row.malformed("test_list", "expected assertions that call a function of 'code'")
    return list(dict.fromkeys(names))


def _defines(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name
    elif isinstance(node, ast.Assign):
        yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _lift(tests: list[str], setup: str, row: Row) -> tuple[str, str]:
    """Moves each call that uses a name of the set-up code to a function on the candidate's side."""
    if not setup:
        return "\n".join(tests), ""
    try:
        names = {name for node in parse(setup).body for name in _defines(node)}
    except ValueError as error:
        raise row.malformed("test_setup_code", f"expected Python source; {error}") from error
    lifter = _Lifter(names)
    script = ast.unparse(ast.fix_missing_locations(lifter.visit(parse("\n".join(tests)))))
    return script, "\n".join([setup, *lifter.functions])


class _Lifter(ast.NodeTransformer):
    """Replaces calls whose arguments mention some names by calls of functions that it collects."""

    def __init__(self, names: set[str]) -> None:
        self._names = names
        self.functions: list[str] = []

    def visit_Call(self, node: ast.Call) -> ast.AST:
        mentioned = {part.id for arg in node.args for part in ast.walk(arg) if isinstance(part, ast.Name)}
        if not mentioned & self._names:
            return self.generic_visit(node)
        name = f"bai_call_{len(self.functions)}"
        self.functions.append(f"def {name}():\n    return {ast.unparse(node)}")
        return ast.Call(func=ast.Name(id=name, ctx=ast.Load()), args=[], keywords=[])


def _names_of(adapter: str) -> list[str]:
    return [node.name for node in parse(adapter).body if isinstance(node, ast.FunctionDef)]
