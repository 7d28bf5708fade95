r"""From the text of an answer, LaTeX or plain, to tokens.

What only changes the look is dropped: ``\left``, ``\!``, ``$``, ``\displaystyle``, spaces, one sentence's full stop.
Digits are ASCII's; of other characters only the mathematical signs below are read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from bai.envs.grading.mathematics.tree import Unreadable
from bai.envs.grading.mathematics.units import SHORT_UNITS, read_unit

__all__ = ["MAX_CHARS", "Token", "tidy", "tokenize"]

MAX_CHARS = 2_000
"""Longest answer that is read."""
_MAX_DIGITS = 400
"""Most digits of a number in an answer."""

TokenKind = Literal["number", "name", "sign", "words", "unit", "end"]


@dataclass(frozen=True)
class Token:
    """One token."""

    kind: TokenKind
    text: str
    """Digits; a name without its backslash; a sign; words; a unit as ``units.read_unit`` gives it."""
    spaced: bool = False
    """Whether space stands before it."""
    command: bool = False
    """Whether the name was written with a backslash."""


_SIGNS = str.maketrans(
    {
        "−": "-", "–": "-", "×": r"\times ", "·": "*", "⋅": "*", "∗": "*", "÷": "/", "∕": "/", "⁄": "/",
        "√": r"\sqrt ", "π": r"\pi ", "∞": r"\infty ", "°": r"^\circ ", "±": r"\pm ", "∓": r"\mp ",
        "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "∪": r"\cup ", "∈": r"\in ", "²": "^2", "³": "^3",
        "½": r"\frac12", "¼": r"\frac14", "¾": r"\frac34", "€": r"\text{euro}", "£": r"\text{sterling}",
        "θ": r"\theta ", "\u00a0": " ", "\u2009": " ", "\u202f": " ",
    }
)  # fmt: skip
_LOOKS = re.compile(
    r"(\\\\)"  # the end of a matrix's row stays
    r"|\\(?:left|right|big|Big|bigg|Bigg|bigl|bigr|displaystyle|textstyle|limits|mathstrut|quad|qquad|hfill)(?![A-Za-z])"
    r"|\\[!,;: >]|~|\\$|(?<!\\)\$|\\[()\[\]]"
)
_THIN_COMMA = re.compile(r"(?<=\d)\{?,\}?\\! *(?=\d{3})|(?<=\d)\{,\}(?=\d{3})|(?<=\d)\\[,;!](?=\d{3}(?!\d))")
_DOLLAR = re.compile(r"(?<!\\)\$")
_UNIT_WORDS = re.compile(r"[A-Za-z]+(?: *\/ *[A-Za-z]+| +[A-Za-z]+){0,4}")
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])", re.ASCII)
_TOKEN = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<repeating>\d{0,40}\.\d{0,40}\\overline\{\d{1,40}\})"
    r"|(?P<number>(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d{1,4}(?![\w.]))?)"
    r"|\\(?:text|mbox|textrm|textbf|textit|textnormal|mathrm|mathbf|operatorname|rm|hbox)\s*\{(?P<words>[^{}\\]*)\}"
    r"|\\(?P<command>[A-Za-z]+)"
    r"|\\(?P<escaped>[%$#&{}_|\\])"
    r"|(?P<sign>\*\*|<=|>=|!=|==|[-+*/^_(){}\[\]|,;=<>!%&:'])"
    r"|(?P<plain>[A-Za-z]+)",
    re.ASCII,
)
_PLAIN_COMMANDS = frozenset((
    "sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "asin", "acos", "atan", "sinh", "cosh",
    "tanh", "log", "ln", "exp", "sqrt", "cbrt", "abs", "floor", "ceil", "gcd", "lcm", "factorial", "frac", "dfrac",
    "binom", "pi", "infty", "infinity", "oo", "inf", "theta", "alpha", "beta", "gamma", "lambda", "mu", "sigma", "phi",
    "omega", "cup", "union", "pm", "or", "and", "in",
))  # fmt: skip
"""Words that are read as commands though no backslash stands before them."""


def tidy(text: str) -> str:
    """Gives the text of an answer without what only changes its look.

    Raises:
        Unreadable: It is empty, or longer than :data:`MAX_CHARS`.
    """
    if len(text) > MAX_CHARS:
        raise Unreadable(f"it is longer than {MAX_CHARS} characters")
    text = _THIN_COMMA.sub("", text.translate(_SIGNS))
    if len(_DOLLAR.findall(text)) % 2:  # one that pairs with none is money
        text = _DOLLAR.sub(r"\\$", text, count=1)
    text = _LOOKS.sub(
        lambda match: match[1] or " ",
        text.replace(r"\dfrac", r"\frac").replace(r"\tfrac", r"\frac").replace(r"\cfrac", r"\frac"),
    )
    text = text.strip().rstrip(".").strip("*").strip()
    if not text:
        raise Unreadable("it is empty")
    return text


def tokenize(text: str, *, thousands: bool = True) -> list[Token]:
    """Splits a tidied answer; the last token is an ``end``.

    Args:
        text: What :func:`tidy` gave.
        thousands: Whether ``1,234`` outside of brackets is one number.

    Raises:
        Unreadable: It holds a character or a number that is not read.
    """
    if thousands:
        text = _THOUSANDS.sub(_join, _guarded(text)).replace("\0", ",")
    tokens: list[Token] = []
    at, spaced = 0, False
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise Unreadable(f"it holds {text[at]!a}, which is not read")
        if match.lastgroup == "space":
            at, spaced = match.end(), True
            continue
        unit = _unit_at(text, at, tokens) if match.lastgroup == "plain" else None
        at = unit[1] if unit else match.end()
        tokens += [Token("unit", unit[0], spaced)] if unit else _tokens_of(match, spaced, tokens)
        spaced = False
    return [*tokens, Token("end", "")]


def _join(match: re.Match[str]) -> str:
    return match[0].replace(",", "")


def _guarded(text: str) -> str:
    """Text with the commas inside brackets as NUL, which the tokens know nothing of."""
    if "\0" in text:
        raise Unreadable("it holds a NUL")
    depth, found = 0, []
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        found.append("\0" if character == "," and depth > 0 else character)
    return "".join(found)


def _tokens_of(match: re.Match[str], spaced: bool, before: list[Token]) -> list[Token]:
    kind, text = match.lastgroup, match[match.lastgroup or 0]
    if kind in ("number", "repeating"):
        if len(text) > _MAX_DIGITS:
            raise Unreadable(f"a number has over {_MAX_DIGITS} digits")
        return [Token("number", text, spaced)]
    if kind == "words":
        unit = read_unit(text)
        return [Token("unit", unit, spaced) if unit else Token("words", text.strip(), spaced)] if text.strip() else []
    if kind == "command":
        return [Token("name", text, spaced, command=True)]
    if kind == "escaped":
        return [Token("unit", "dollar^1", spaced) if text == "$" else Token("sign", "\\" + text, spaced)]
    if kind == "sign":
        return [Token("sign", {"**": "^", "==": "="}.get(text, text), spaced)]
    return _plain(text, spaced, before)


def _unit_at(text: str, at: int, before: list[Token]) -> tuple[str, int] | None:
    """The longest unit in words behind a value, and where it ends; a single letter is a symbol instead."""
    if not before or not (before[-1].kind in ("number", "words") or before[-1].text in (")", "}", "\\%")):
        return None
    match = _UNIT_WORDS.match(text, at)
    end = match.end() if match else at
    while end > at:
        unit = read_unit(text[at:end])
        if unit is not None and text[at:end] not in SHORT_UNITS:
            return unit, end
        end = max(text.rfind(" ", at, end), text.rfind("/", at, end), at)
    return None


def _plain(text: str, spaced: bool, before: list[Token]) -> list[Token]:
    """Letters: a known name, a word, or symbols one beside the other."""
    if text in _PLAIN_COMMANDS or text.lower() in ("or", "and"):
        return [Token("name", text.lower(), spaced, command=True)]
    if len(text) > 2 and (spaced or not before):
        return [Token("words", text, spaced)]
    return [Token("name", letter, spaced and not index) for index, letter in enumerate(text)]
