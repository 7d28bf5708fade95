"""Tests that gave up, skipped or failing as expected, and whether the tests themselves say that they may.

A candidate's code runs within them and can give up in their place, by ``pytest.xfail()`` or ``unittest.SkipTest``. That
counts only where the trusted files speak of it: the test itself, what its file holds besides other tests, or a
``conftest.py`` above it.
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Collection, Iterator, Mapping

from bai.envs.repository.tree import Tree, parents_of

__all__ = ["given_up"]

_SPEAKS = {
    "XFAIL": re.compile(r"xfail|expected_?failure", re.IGNORECASE),
    "SKIPPED": re.compile(r"skip|requires?_|needs_", re.IGNORECASE),
}
"""What files say where tests may come to these statuses."""


def given_up(statuses: Mapping[str, str], tested: Tree, files: Collection[str]) -> frozenset[str]:
    """Gives the tests that gave up though no trusted file says that they may.

    Args:
        statuses: Test to status.
        tested: The tree with the trusted tests, and without anything of a candidate's.
        files: The files of the task's tests, where names of tests do not tell theirs.
    """
    return frozenset(
        test
        for test, status in statuses.items()
        if (speaks := _SPEAKS.get(status)) and not any(speaks.search(text) for text in _texts(test, tested, files))
    )


def _texts(test: str, tested: Tree, files: Collection[str]) -> Iterator[str]:
    """Gives the texts that may speak of a test."""
    path, _, name = test.partition("::")
    names = name.partition("[")[0].split("::")
    for file in [path] if path in tested else [file for file in files if file in tested]:
        text = tested[file].data.decode("utf-8", "replace")
        yield _without_others(text, names[-1]) if file == path else text
        for folder in ("", *parents_of(file)):
            conftest = posixpath.join(folder, "conftest.py")
            if conftest in tested:
                yield tested[conftest].data.decode("utf-8", "replace")


def _without_others(text: str, name: str) -> str:
    """Gives a file without the tests of other names; as it is, where it cannot be parsed."""
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return text
    lines = text.split("\n")
    functions = (node for node in ast.walk(module) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))
    for node in functions:
        if node.name.startswith("test") and node.name != name:
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            lines[first - 1 : node.end_lineno] = [""] * ((node.end_lineno or first) - first + 1)
    return "\n".join(lines)
