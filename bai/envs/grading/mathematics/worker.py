"""The process that decides with sympy whether two trees are equal; standard library and sympy only, started by path.

It never sees text of an agent: trees of the kinds of ``tree.py`` come in, as JSON, and sympy's objects are built from
them one by one. It runs where it can be killed. Frames are JSON in UTF-8, each behind its size:

    to the host, once:   {"sympy": version} | {"error": text}
    from the host:       {"first": tree, "second": tree, "up_to": "value" | "factor", "seconds": n, "memory": bytes}
    to the host:         {"equal": true | false | null} | {"problem": "memory" | "crashed" | "large"}

``null`` says that they could be neither proved equal nor shown to differ. Samples of numbers only ever refute.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import struct
import sys
from typing import Any, NoReturn

_SIZE = struct.Struct("!I")
_DIGITS = 40
"""Decimal digits of a sample."""
_APART = 20
"""Two samples that agree in fewer decimal digits than this differ."""
_MAX_POWER = 2_000
"""Largest exponent of a number or of a sum in symbols."""
_MAX_BITS = 20_000
"""Most bits of a power of a rational number."""
_MAX_FACTORIAL = 1_000
"""Largest argument of a factorial, a binomial coefficient, and of a number that is rounded."""
_POINTS = (("7/11", "5/13", "3/17"), ("-13/19", "17/23", "-11/29"), ("31/7", "41/9", "37/8"))
"""Values that symbols take in samples, in turn."""


class TooLarge(Exception):
    """What a tree stands for is beyond the bounds."""


def build(tree: list[Any], sympy: Any) -> Any:
    """Makes sympy's object of a tree.

    Raises:
        TooLarge: It would take too much to compute.
        ValueError: It is no tree of a value.
    """
    kind, value, parts = tree
    below = [build(part, sympy) for part in parts]
    if kind == "number":
        return sympy.Rational(value)
    if kind == "symbol":
        return sympy.Symbol(value)
    if kind == "constant":
        return {"pi": sympy.pi, "e": sympy.E, "i": sympy.I, "oo": sympy.oo}[value]
    if kind in ("add", "mixed"):
        return sympy.Add(*below)
    if kind == "multiply":
        return sympy.Mul(*below)
    if kind == "negate":
        return sympy.Mul(sympy.Integer(-1), *below)
    if kind == "divide":
        return sympy.Mul(below[0], sympy.Pow(below[1], sympy.Integer(-1)))
    if kind == "percent":
        return sympy.Mul(below[0], sympy.Rational(1, 100))
    if kind == "power":
        return _power(below[0], below[1], sympy)
    if kind == "call":
        return _call(value, below, sympy)
    raise ValueError(f"a {kind} is no value")


def _power(base: Any, exponent: Any, sympy: Any) -> Any:
    if exponent.is_number:
        size = float(abs(exponent.evalf(15)))  # infinite, or no number, where it is not finite
        bits = max(abs(base.p).bit_length(), base.q.bit_length()) if base.is_Rational else 1
        if not (size <= _MAX_POWER and size * bits <= _MAX_BITS) and base not in (0, 1, -1):
            raise TooLarge
    return sympy.Pow(base, exponent)


def _call(name: str, below: list[Any], sympy: Any) -> Any:
    is_bounded = name not in ("factorial", "binomial", "floor", "ceil") or not below[0].is_number
    if not is_bounded and not float(abs(below[0].evalf(15))) <= _MAX_FACTORIAL:
        raise TooLarge
    functions = {
        **{each: getattr(sympy, each) for each in ("sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh")},
        **{each: getattr(sympy, each) for each in ("asin", "acos", "atan", "log", "exp", "floor", "factorial", "gcd")},
        "ln": sympy.log,
        "ceil": sympy.ceiling,
        "abs": sympy.Abs,
        "lcm": sympy.lcm,
        "binomial": sympy.binomial,
    }
    if name == "exp":
        return _power(sympy.E, below[0], sympy)
    return functions[name](*below)


def compare(first: Any, second: Any, up_to: str, sympy: Any) -> bool | None:
    """Tells whether two expressions are equal: true only if proved, false only if shown, else None.

    Args:
        first: One.
        second: The other.
        up_to: ``value``; or ``factor``: equal but for a factor that is a number other than zero.
        sympy: The library.
    """
    if first == second:
        return True
    if up_to == "factor":
        if sympy.S.Zero in (first, second):
            return None
        quotient = first / second
        return _vanishes(quotient - quotient.subs(_places(quotient, sympy)), sympy)
    return _vanishes(first - second, sympy)


def _places(quotient: Any, sympy: Any) -> dict[Any, Any]:
    """A point; what a quotient is there it is everywhere if it does not depend on its symbols."""
    symbols = sorted(quotient.free_symbols, key=str)
    return {symbol: sympy.Integer(place) for place, symbol in enumerate(symbols, start=2)}


def _vanishes(difference: Any, sympy: Any) -> bool | None:
    if difference.has(sympy.nan, sympy.zoo, sympy.oo, -sympy.oo):
        return False
    if difference == 0:
        return True
    if _is_refuted(difference, sympy):
        return False
    for step in (sympy.expand, sympy.together, sympy.radsimp, sympy.simplify):
        reduced = step(difference)
        if reduced == 0 or sympy.expand(reduced) == 0:
            return True
    if not difference.free_symbols:
        return True if difference.is_zero or _is_algebraic_zero(difference, sympy) else None
    return None


def _is_algebraic_zero(value: Any, sympy: Any) -> bool:
    try:
        found = sympy.minimal_polynomial(value, sympy.Symbol("bai_x"))
    except NotImplementedError:
        return False
    return bool(found == sympy.Symbol("bai_x"))


def _is_refuted(difference: Any, sympy: Any) -> bool:
    """Whether a sample of numbers shows that it is not zero."""
    symbols = sorted(difference.free_symbols, key=str)
    for values in _POINTS if symbols else _POINTS[:1]:
        point = {symbol: sympy.Rational(values[place % 3]) + place // 3 for place, symbol in enumerate(symbols)}
        sample = difference.evalf(_DIGITS, subs=point, maxn=400)
        if not sample.is_number or sample.has(sympy.nan, sympy.zoo, sympy.oo):
            continue
        size = max((abs(term.evalf(15, subs=point)) for term in sympy.Add.make_args(difference)), default=0)
        if abs(sample) > (1 + size) * sympy.Float(10) ** -_APART:
            return True
    return False


def _answer(request: dict[str, Any], sympy: Any) -> dict[str, Any]:
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    most = request["memory"] if hard == resource.RLIM_INFINITY else min(request["memory"], hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    try:
        first, second = (build(request[name], sympy) for name in ("first", "second"))
        equal = compare(first, second, request["up_to"], sympy)
        return {"equal": None if equal is None else bool(equal)}
    except TooLarge:
        return {"problem": "large"}
    except MemoryError:
        return {"problem": "memory"}
    except Exception:
        return {"problem": "crashed"}


def main(folders: list[str]) -> NoReturn:
    """Serves until the host closes the pipe.

    Args:
        folders: Where sympy and what it needs lie.
    """
    source, sink = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.path += [folder for folder in folders if folder not in sys.path]
    try:
        import sympy
    except Exception as error:
        _send(sink, {"error": f"{type(error).__name__}: {error}"})
        sys.exit(1)
    _send(sink, {"sympy": sympy.__version__})
    while True:
        request = json.loads(_exactly(source, _SIZE.unpack(_exactly(source, 4))[0]))
        # The default action ends the process: sympy may be deep in a loop, and the host may be gone.
        signal.setitimer(signal.ITIMER_REAL, request["seconds"])
        answer = _answer(request, sympy)
        signal.setitimer(signal.ITIMER_REAL, 0)
        _send(sink, answer)


def _send(sink: int, message: dict[str, Any]) -> None:
    data = json.dumps(message).encode()
    view = memoryview(_SIZE.pack(len(data)) + data)
    while view:
        view = view[os.write(sink, view) :]


def _exactly(source: int, size: int) -> bytes:
    pieces = []
    while size:
        piece = os.read(source, min(size, 1 << 20))
        if not piece:
            os._exit(0)
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


if __name__ == "__main__":
    main(sys.argv[1:])
