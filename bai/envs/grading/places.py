"""Where in a file of tests another may stand, and what any function of that file can use."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias, TypeGuard

__all__ = ["Function", "Place", "bound_names", "find_places", "is_test", "lasting_names", "names_in"]

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Place:
    """A test beside which another may stand."""

    owner: ast.ClassDef | None
    test: Function
    module: ast.Module

    @property
    def names(self) -> tuple[str | None, str]:
        """Its class's name, or None, and its own."""
        return self.owner.name if self.owner else None, self.test.name


def find_places(module: ast.Module) -> Iterator[Place]:
    """Gives the tests beside which one more is run as they are, and needs no arguments."""
    defined = Counter(bound_names(module))
    if _marks(module) or "pytest_generate_tests" in defined:
        return
    bases = {ast.unparse(base) for node in module.body if isinstance(node, ast.ClassDef) for base in node.bases}
    for node in module.body:
        if is_test(node):
            yield Place(None, node, module)
        elif isinstance(node, ast.ClassDef) and not node.decorator_list and not _marks(node):
            # Of two classes of one name only the last is found, and what a class has its heirs have too.
            tests = node.body if defined[node.name] == 1 and node.name not in bases else []
            yield from (Place(node, inner, module) for inner in tests if is_test(inner))


def _marks(scope: ast.Module | ast.ClassDef) -> bool:
    """Whether something is said of all tests of a scope: to skip them, to let them fail, or that they are none."""
    given = [ast.unparse(node) for node in scope.body if isinstance(node, (ast.Assign, ast.AnnAssign))]
    made = any(isinstance(node, ast.FunctionDef) and node.name == "__init__" for node in scope.body)
    return made or any("pytestmark" in text or "__test__" in text for text in given)


def is_test(node: ast.AST) -> TypeGuard[Function]:
    """Whether it is a function that is named as tests are."""
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_")


def names_in(node: ast.AST) -> Iterator[ast.Name]:
    """Gives the names in some code."""
    return (inner for inner in ast.walk(node) if isinstance(inner, ast.Name))


def bound_names(module: ast.Module) -> Iterator[str]:
    """Names that all functions of a module see, once for each time they are bound; ``*`` for all of another's."""
    for node in _outside(module):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _outside(node: ast.AST) -> Iterator[ast.AST]:
    """Gives what is in a module and in no function or class of it."""
    for inner in ast.iter_child_nodes(node):
        yield inner
        if not isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            yield from _outside(inner)


def lasting_names(module: ast.Module) -> set[str]:
    """Names of a module that stand for the same however often they are used: what it imports, defines, or holds fixed.

    Any other variable, such as an iterator, may be used up by one use more.
    """
    stored = {node.id for node in _outside(module) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    found = Counter(bound_names(module))
    fixed = {
        target.id
        for node in module.body
        if isinstance(node, ast.Assign) and _is_fixed(node.value)
        for target in node.targets
        if isinstance(target, ast.Name) and found[target.id] == 1
    }
    return (set(found) - stored) | fixed


def _is_fixed(value: ast.expr) -> bool:
    try:
        hash(ast.literal_eval(value))
    except (TypeError, ValueError):
        return False
    return True
