"""Parsing the Python that data files hold. Never used on what an agent says."""

from __future__ import annotations

import ast
import warnings

__all__ = ["expression", "parse"]


def parse(source: str) -> ast.Module:
    """Parses a module; old sources warn of unknown escapes, which is their own business.

    Raises:
        ValueError: It is no Python.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(source)
        except SyntaxError as error:
            raise ValueError(f"not Python: {error}") from error


def expression(source: str) -> ast.expr:
    """Parses one expression. Raises as :func:`parse`."""
    match parse(source.strip()).body:
        case [ast.Expr(value=value)]:
            return value
    raise ValueError("not one expression")
