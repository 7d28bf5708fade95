"""The normal form of a source: two sources that differ in names, layout or comments alone have one."""

from __future__ import annotations

import ast
import builtins

__all__ = ["normal_form"]

_BUILTINS = frozenset(dir(builtins))


def normal_form(source: str) -> str:
    """Gives the syntax tree as text, with names canonicalised in order of appearance.

    Constants, attributes and builtins stay; functions, arguments and variables are renamed; docstrings and
    annotations go.

    Raises:
        SyntaxError: The source is no Python.
    """
    return ast.dump(_Rename().visit(ast.parse(source)))


class _Rename(ast.NodeTransformer):
    def __init__(self) -> None:
        self.names: dict[str, str] = {}

    def _canonical(self, name: str) -> str:
        return self.names.setdefault(name, f"v{len(self.names)}")

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name = self._canonical(node.name)
        node.returns = None
        if ast.get_docstring(node) is not None and len(node.body) > 1:
            node.body = node.body[1:]
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.arg, node.annotation = self._canonical(node.arg), None
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id not in _BUILTINS:
            node.id = self._canonical(node.id)
        return node
