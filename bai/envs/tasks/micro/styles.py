"""The same program written in different styles.

``steps`` (the reference): one statement a step. ``loop``: comprehensions and sums spelt out as
loops. ``compact``: steps nested into one expression as far as no value is needed twice.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Literal

from bai.envs.tasks.micro.kinds import VARIABLES
from bai.envs.tasks.micro.operation import Step
from bai.envs.tasks.micro.program import ENTRY_POINT, Program

__all__ = ["STYLES", "Style"]

Style = Literal["steps", "loop", "compact"]

_OUT = "out"
"""Collects what a loop makes."""


def _steps(program: Program) -> str:
    return program.source


def _compact(program: Program) -> str:
    lines: list[str] = []
    value = VARIABLES[program.takes]
    for step in program.steps:
        if step.uses > 1 and not value.isidentifier():
            variable = VARIABLES[step.operation.takes]
            lines.append(f"{variable} = {value}")
            value = variable
        value = _nest(step, value)
    return _function(program, [*lines, f"return {value}"])


def _nest(step: Step, value: str) -> str:
    """The step's expression around ``value``, in parentheses only where they are needed."""
    bare, safe = step.expression(value), step.expression(f"({value})")
    try:
        return bare if ast.dump(_parse(bare)) == ast.dump(_parse(safe)) else safe
    except SyntaxError:
        return safe


def _loop(program: Program) -> str:
    lines: list[str] = []
    for step in program.steps:
        is_last = step is program.steps[-1]
        incoming, outgoing = VARIABLES[step.operation.takes], VARIABLES[step.operation.gives]
        code = step.expression(incoming)
        loop = _as_loop(_parse(code))
        result = code if loop is None else _OUT
        lines += [*(loop or ()), f"return {result}" if is_last else f"{outgoing} = {result}"]
    return _function(program, lines)


STYLES: dict[Style, Callable[[Program], str]] = {"steps": _steps, "loop": _loop, "compact": _compact}
"""Style to writer."""


def _function(program: Program, lines: list[str]) -> str:
    body = "".join(f"    {line}\n" for line in lines)
    return f"def {ENTRY_POINT}({VARIABLES[program.takes]}):\n{body}"


def _parse(code: str) -> ast.expr:
    return ast.parse(code, mode="eval").body


def _as_loop(tree: ast.expr) -> list[str] | None:
    """Lines that leave the value of an expression in ``out``, or None where it has no loop to spell out."""
    match tree:
        case ast.ListComp(elt=item, generators=[source]):
            return _spelt("[]", source, f"{_OUT}.append({ast.unparse(item)})")
        case ast.DictComp(key=key, value=item, generators=[source]):
            return _spelt("{}", source, f"{_OUT}[{ast.unparse(key)}] = {ast.unparse(item)}")
        case ast.Call(func=ast.Name(id="sum"), args=[ast.GeneratorExp(elt=ast.Compare() as test, generators=[source])]):
            return _spelt("0", source, f"{_OUT} += 1", test)
        case ast.Call(func=ast.Name(id="sum"), args=[ast.GeneratorExp(elt=item, generators=[source])]):
            return _spelt("0", source, f"{_OUT} += {ast.unparse(item)}")
        case ast.Call(func=ast.Name(id="sum"), args=[ast.Name() as whole]):
            return [f"{_OUT} = 0", f"for x in {whole.id}:", f"    {_OUT} += x"]
        case ast.Call(func=ast.Name(id="any"), args=[ast.GeneratorExp(elt=test, generators=[source])]):
            return _spelt("False", source, f"{_OUT} = True", test)
        case ast.Call(func=ast.Name(id="all"), args=[ast.GeneratorExp(elt=test, generators=[source])]):
            return _spelt("True", source, f"{_OUT} = False", ast.UnaryOp(ast.Not(), test))
        case ast.Call(
            func=ast.Attribute(value=ast.Constant(value="")), args=[ast.GeneratorExp(elt=item, generators=[source])]
        ):
            return _spelt("''", source, f"{_OUT} += {ast.unparse(item)}")
    return None


def _spelt(start: str, source: ast.comprehension, action: str, test: ast.expr | None = None) -> list[str]:
    condition = test if test is not None else next(iter(source.ifs), None)
    target = ast.unparse(source.target).strip("()")
    head = [f"{_OUT} = {start}", f"for {target} in {ast.unparse(source.iter)}:"]
    if condition is None:
        return [*head, f"    {action}"]
    return [*head, f"    if {ast.unparse(condition)}:", f"        {action}"]
