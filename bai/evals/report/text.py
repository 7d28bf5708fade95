"""Hostile text made safe to show.

Prompts, answers and output of programs may hold anything: terminal escapes that clear the
screen, bidirectional overrides that reorder code before a reader's eyes, lone surrogates
that no file can hold. :func:`visible` spells such characters out; :func:`escape` also makes
the text inert inside HTML, attributes included.
"""

from __future__ import annotations

import html
import re

__all__ = ["MAX_SHOWN", "escape", "visible"]

MAX_SHOWN = 20_000
"""Most characters of one text that a report shows."""

_UNSHOWABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls but tab and line feed
    "\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069"  # text direction, odd line breaks
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff\ufeff]"  # surrogates, noncharacters, byte order mark
)


def visible(text: str, limit: int = MAX_SHOWN) -> str:
    r"""Spells out every character that does not show as itself, such as ``\x1b``.

    Args:
        text: Any string.
        limit: Most characters kept; what is cut off is said at the end.
    """
    cut = len(text) - limit
    shown = text[:limit].replace("\r\n", "\n")
    shown = _UNSHOWABLE.sub(lambda match: _spell(ord(match[0])), shown)
    return f"{shown}\n[{cut:,} more characters]" if cut > 0 else shown


def _spell(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def escape(text: object, limit: int = MAX_SHOWN) -> str:
    """Gives text for an HTML element or a quoted attribute; nothing in it is markup."""
    return html.escape(visible(str(text), limit), quote=True)
