"""The words that tasks are made of."""

from __future__ import annotations

__all__ = ["FILES", "ITEMS", "KEYS", "OUTSIDE", "WORDS"]


def _words(text: str) -> list[str]:
    return text.split()


ITEMS = _words("""
apple bag ball bell belt bike boat book bowl box bread brush cake can cap car card chair clock coat coin cup desk
dish door drum egg fan fish flag fork glass glove grape hat jar key kite knife lamp leaf lemon map mask milk mug
nail net nut oil onion oven pan paper pear pen pin pipe plate plum pot rice ring rope rug salt scarf seed shell
shirt shoe soap sock spoon stamp sugar tape tea tent tie tool towel toy tray vase wheel
""")
"""What is in stock."""

WORDS = _words("""
blue cold dark east fast gold green high late low new north old open red slow south warm west white
""")
"""What is written down."""

FILES = _words("""
a.txt b.txt list.txt log.txt memo.txt note.txt out.txt plan.txt todo.txt
""")
"""Where it is written."""

KEYS = _words("""
best color count goal last level limit mode next rate score state step total user
""")
"""Under what it is kept."""

OUTSIDE = (
    "Play some music.",
    "Book a flight to Rome.",
    "Call my sister.",
    "What is the weather in Oslo?",
    "Turn on the lights.",
    "Order a pizza.",
    "Send Ann an email.",
    "Wake me at six.",
    "Translate 'good day' into Greek.",
    "Take a photo of me.",
    "Show me the way to the station.",
    "Print a page.",
)
"""What no tool of these tasks can do."""
