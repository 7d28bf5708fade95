"""MBPP: 974 short functions to write from one sentence.

Source: Austin et al. 2021, "Program Synthesis with Large Language Models"; file ``mbpp.jsonl`` with the
fields ``task_id``, ``text``, ``code``, ``test_list``, ``test_setup_code`` and ``challenge_test_list``.
Splits are the paper's, by number: ``prompt`` 1-10, ``test`` 11-510, ``validation`` 511-600, ``train``
601-974. What differs: the prompt shows the first assertion alone, so that the others are hidden tests;
where a test passes what cannot travel (an object of the candidate's own class in 367, 601 and 927, a type
in 533), that call is made in the candidate's process and only its plain result comes back; and where the
assertions use a module that only the solution imports (596), the judge imports it too.
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
    tests = "\n".join([shown, *others, *row.items_of("challenge_test_list", str)])
    defined, imports = _top_level(row, reference)
    called = _called(row, tests, defined)
    script, adapter = _lift(row, tests, setup, defined)
    number = row["task_id"]
    if not isinstance(number, int):
        raise row.malformed("task_id", f"expected a number; got {number!r:.80}")
    return CodingTask(
        task_id=f"MBPP/{number}",
        prompt=_prompt(row.text("text"), shown, setup),
        metadata={"source": "mbpp", "split": _split(number)},
        entry_point=called[0],
        public=tuple(_public(shown, called[0])),
        hidden=ScriptTests(
            script=script,
            proxies=(*called, *_calls_of(adapter)),
            setup="".join(f"import {name}\n" for name in imports if f"{name}." in script),
            adapter=adapter,
        ),
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


def _top_level(row: Row, reference: str) -> tuple[set[str], list[str]]:
    """Names that the reference defines, and modules that it imports under their own names."""
    try:
        body = parse(reference).body
    except ValueError as error:
        raise row.malformed("code", f"expected Python source; {error}") from error
    imports = [alias.name for node in body if isinstance(node, ast.Import) for alias in node.names if not alias.asname]
    return {name for node in body for name in _defines(node)}, imports


def _defines(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name
    elif isinstance(node, ast.Assign):
        yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _called(row: Row, tests: str, defined: set[str]) -> list[str]:
    """Names that the tests call and the reference defines, in the order they come; the first is the entry point."""
    try:
        calls = [node.func for node in ast.walk(parse(tests)) if isinstance(node, ast.Call)]
    except ValueError as error:
        raise row.malformed("test_list", f"expected Python assertions; {error}") from error
    names = [func.id for func in calls if isinstance(func, ast.Name) and func.id in defined]
    if not names:
        raise row.malformed("test_list", "expected assertions that call a function of 'code'")
    return list(dict.fromkeys(names))


def _lift(row: Row, tests: str, setup: str, defined: set[str]) -> tuple[str, str]:
    """Moves each call of the candidate's whose arguments cannot travel to a function on its side."""
    try:
        objects = {name for node in parse(setup).body for name in _defines(node)}
    except ValueError as error:
        raise row.malformed("test_setup_code", f"expected Python source; {error}") from error
    lifter = _Lifter(defined, objects | defined | _TYPES)
    script = ast.unparse(ast.fix_missing_locations(lifter.visit(parse(tests))))
    return (script, "\n".join([setup, *lifter.functions])) if lifter.functions else (tests, "")


_TYPES = {"int", "float", "complex", "bool", "str", "bytes", "list", "tuple", "dict", "set", "frozenset"}
_LIFTED = "bai_call_"


class _Lifter(ast.NodeTransformer):
    """Replaces calls of some names by calls of functions that it collects, if their arguments mention others."""

    def __init__(self, callees: set[str], stay: set[str]) -> None:
        self._callees, self._stay = callees, stay
        self.functions: list[str] = []

    def visit_Call(self, node: ast.Call) -> ast.AST:
        mentioned = {part.id for arg in node.args for part in ast.walk(arg) if isinstance(part, ast.Name)}
        mine = isinstance(node.func, ast.Name) and node.func.id in self._callees
        if not mine or not mentioned & self._stay:
            return self.generic_visit(node)
        name = f"{_LIFTED}{len(self.functions)}"
        self.functions.append(f"def {name}():\n    return {ast.unparse(node)}")
        return ast.Call(func=ast.Name(id=name, ctx=ast.Load()), args=[], keywords=[])


def _calls_of(adapter: str) -> list[str]:
    return [name for node in parse(adapter).body for name in _defines(node) if name.startswith(_LIFTED)]
