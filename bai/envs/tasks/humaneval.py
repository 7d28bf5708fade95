"""HumanEval: 164 functions to complete from a signature and a docstring.

Source: Chen et al. 2021, "Evaluating Large Language Models Trained on Code"; file
``humaneval.jsonl.gz`` (or ``.jsonl``) with the fields ``task_id``, ``prompt``, ``entry_point``,
``canonical_solution`` and ``test``. The test is the set's own ``check`` function, run in the judge.
What differs: helpers that the prompt defines beside the entry point (``poly``, ``encode_cyclic``,
``encode_shift``, ``is_palindrome``) are loaded on both sides, because three tests build their inputs
with them; the judge uses its own, so a candidate that redefines one cannot bend a test.
"""

from __future__ import annotations

import ast
from pathlib import Path

from bai.envs.tasks.coding import Case, CodingTask, ScriptTests
from bai.envs.tasks.examples import examples_in
from bai.envs.tasks.files import Row, locate, read_rows
from bai.envs.tasks.finite import FiniteTaskSet
from bai.envs.tasks.syntax import parse

__all__ = ["load_humaneval", "prompt_parts"]

_FAULTY_EXAMPLES = ("HumanEval/47", "HumanEval/116", "HumanEval/130", "HumanEval/158")
"""Their docstrings show values that the tests and the canonical solution contradict."""


def load_humaneval(path: Path | None = None) -> FiniteTaskSet[CodingTask]:
    """Loads HumanEval.

    Raises:
        TaskSetNotFound: The file is not on this machine.
        MalformedRow: A row breaks the format.
    """
    path = path or locate("humaneval", "humaneval.jsonl.gz")
    return FiniteTaskSet("humaneval", (_task(row) for row in read_rows(path)))


def _task(row: Row) -> CodingTask:
    entry_point, prompt = row.text("entry_point"), row.text("prompt")
    prelude, public = prompt_parts(row)
    return CodingTask(
        task_id=row.text("task_id"),
        prompt=prompt,
        metadata={"source": "humaneval", "split": "test"},
        entry_point=entry_point,
        public=public,
        hidden=ScriptTests(script=f"{row.text('test')}\ncheck({entry_point})\n", proxies=(entry_point,), setup=prelude),
        reference=row.text("canonical_solution"),
        prelude=prelude,
        answer_style="completion",
    )


def prompt_parts(row: Row) -> tuple[str, tuple[Case, ...]]:
    """Splits a prompt: what stands before and beside the entry point, and the examples of its docstring.

    Raises:
        MalformedRow: The prompt is no Python, or does not define the entry point.
    """
    prompt, entry_point = row.text("prompt"), row.text("entry_point")
    try:
        tree = parse(prompt)
    except ValueError as error:
        raise row.malformed("prompt", f"expected Python source; {error}") from error
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == entry_point]
    if not functions:
        raise row.malformed("prompt", f"expected it to define {entry_point!r}")
    others = [node for node in tree.body if node is not functions[-1]]
    prelude = "".join(f"{ast.get_source_segment(prompt, node)}\n" for node in others)
    if row.text("task_id") in _FAULTY_EXAMPLES:
        return prelude, ()
    return prelude, examples_in(ast.get_docstring(functions[-1], clean=True) or "", entry_point)
