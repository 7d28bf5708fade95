"""The kinds of value that programs pass from step to step, each written as its annotation."""

from __future__ import annotations

__all__ = ["BOOL", "COUNTS", "INPUTS", "INT", "INTS", "NAMES", "STR", "STRS", "TABLE", "VARIABLES"]

INT = "int"
INTS = "list[int]"
STR = "str"
STRS = "list[str]"
BOOL = "bool"
TABLE = "dict[str, int]"
COUNTS = "dict[int, int]"
NAMES = "dict[int, str]"

VARIABLES = {INT: "n", INTS: "xs", STR: "s", STRS: "ws", BOOL: "b", TABLE: "d", COUNTS: "d", NAMES: "d"}
"""The variable that holds a value of each kind; one name a kind keeps references regular."""

INPUTS = {INTS: 8, STR: 5, STRS: 3, TABLE: 3, INT: 2}
"""Kinds that a function may take, with how often. The order matters: a program that reads alike for two
kinds (``return len(xs[1:])``) belongs to the first of them."""
