"""The inputs programs are probed with, by kind, and those shown in prompts.

``BATTERY`` decides what a program *is*: two programs with equal outputs on the battery
count as one. Hidden tests are drawn from it. ``SHOWN`` holds short inputs for the public
examples; no value is in both.
"""

from __future__ import annotations

from typing import Any

from bai.envs.tasks.micro.kinds import COUNTS, INT, INTS, NAMES, STR, STRS, TABLE

__all__ = ["BATTERY", "SHOWN"]

# Data, laid out to be read at a glance.
# fmt: off
_INTS: list[Any] = [
    [], [0], [1], [-1], [5], [12], [2, 2], [3, 1, 2], [1, 2, 3, 4], [4, 3, 2, 1], [-3, -1, -2], [0, 0, 0],
    [7, 7, 1, 7], [10, -10, 5, -5], [2, 4, 6, 8], [1, 3, 5, 7, 9], [6, 5, 4, 3, 2, 1], [1, -2, 3, -4, 5],
    [9, 9, 8, 8], [15, 3, 20, 6], [-8, 4, 0, 11], [30, 2, 17], [5, 1, 5, 2, 5, 3], [8, -7, 6, -5, 4, -3],
    [11, 12, 13, 14, 15], [0, 3, 0, 6], [-6, -9, -12], [4, 10, 4, 1, 10], [25, -1, 7, 3, 2, 0, 8], [13, 2, 2, 13],
    [1, 1, 2, 3, 5, 8], [20, 9, 6, 18, 3, 9],
]

_STRINGS: list[Any] = [
    "", "a", "b", "Z", " ", "7", "aa", "abc", "cba", "Hello", "hello world", "A man a plan", "noon", "Otto", "x-y-z",
    "room 101", "banana", "The Cat", "to be or not", "42 is it", "bookkeeper", "TATTOO", "e", "b2b 4 u", "a b c d",
    "Zebra!", "tEst Case", "ooo", "rhythm", "queue", "Tab 9 boat", "level ebb",
]

_WORDS: list[Any] = [
    [], [""], ["a"], ["bat"], ["Tom"], ["a", "a"], ["to", "be"], ["be", "at", "to"], ["cat", "dog"],
    ["tooth", "ax"],
    ["sea", "tea", "pea"], ["one", "two", "three"], ["", "x", ""], ["Zoe", "Abe"], ["level", "kayak"],
    ["z", "yy", "xxx"], ["oat", "oat", "bee"], ["apple", "Bob", "tree", "egg"], ["UP", "down"],
    ["at", "eat", "beat", "bet"],
    ["hi", "ho", "hum"], ["b", "a", "c", "a", "b"], ["note", "Note", "NOTE"], ["long word", "ok"],
    ["stop", "pots", "tops", "opts"],
    ["o", "oo", "ooo", "oooo"], ["42", "7", "100"], ["crypt", "hymn"], ["table", "boat", "bet", "ear"],
    ["x!", "y-", "z"], ["every", "other", "word", "is", "here"], ["lemon", "melon", "lemon"],
]

_TABLES: list[Any] = [
    {}, {"a": 0}, {"a": 1}, {"b": -1}, {"to": 5}, {"Zed": 12}, {"a": 1, "b": 2}, {"b": 2, "a": 1}, {"x": 3, "y": 3},
    {"cat": 4, "dog": 7}, {"tea": -2, "oat": 6}, {"one": 1, "two": 2, "three": 3}, {"": 2},
    {"e": 9, "ee": 8, "eee": 7},
    {"bob": 10, "tab": -10}, {"u": 0, "v": 0, "w": 0}, {"apple": 5, "bean": 3, "corn": 8}, {"q": 6, "r": 4, "s": 2},
    {"ab": 1, "cd": 3, "ef": 5, "gh": 7}, {"note": 4, "Tone": -4}, {"m": 11, "n": 12, "o": 13},
    {"key": 20, "lock": 2},
    {"toe": 2, "bat": 2, "ear": 3}, {"A": 8, "B": 6, "C": 1}, {"long": 15, "s": -3, "mid": 6},
    {"be": 7, "to": 1, "at": 4}, {"z": -5, "y": -6, "x": -7}, {"boat": 3, "tub": 9, "a": 2, "o": 6}, {"hi": 100},
    {"t": 5, "e": 5, "b": 4},
    {"even": 2, "odd": 1, "none": 0}, {"p": 4, "pq": 2, "pqr": 6, "pqrs": 1},
]

_NUMBERS: list[Any] = [0, 1, -1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 18, 20, 21, 24, 25, 27, 28, 30, 36, 37,
                       40, -2, -5, -7, -12, -16, -30]

_COUNTS: list[Any] = [
    {}, {0: 0}, {1: 1}, {-1: 2}, {2: -3}, {5: 4}, {1: 2, 2: 1}, {2: 1, 1: 2}, {3: 3, 4: 3}, {7: 1, 8: 1, 9: 1},
    {0: 5, 5: 0}, {-4: -4, 4: 4}, {1: 1, 2: 4, 3: 9}, {9: 3, 4: 2, 1: 1}, {6: 2, 7: 3, 8: 5}, {10: 0, 20: 1, 30: 2},
    {5: 9}, {12: -6, 3: 8}, {2: 2, 4: 4, 6: 6, 8: 8}, {1: 7, 3: 5, 5: 3, 7: 1}, {11: 6, -11: 7}, {15: 2, 14: 3},
    {0: 1, 1: 0, 2: 1}, {4: 10, 5: 12, 6: 20}, {-1: -1, -2: -2}, {8: 1, 6: 2, 3: 4, 2: 6}, {100: 5}, {13: 3, 17: 7},
]

_NAMES: list[Any] = [{value: key for key, value in table.items()} for table in _TABLES]

BATTERY: dict[str, list[Any]] = {
    INTS: _INTS, STR: _STRINGS, STRS: _WORDS, TABLE: _TABLES, INT: _NUMBERS, COUNTS: _COUNTS, NAMES: _NAMES,
}
"""At least 24 inputs of each kind; the first is the empty or zero one, and none may ever be changed."""

SHOWN: dict[str, list[Any]] = {
    INTS: [
        [3, 6, 1], [2, 5, 8], [4, 7, 2, 9], [1, 4, 4], [6, -2, 3], [9, 2, 6], [5, 8, -1], [7, 10, 3], [2, 3, 2, 6],
        [8, 1, 5], [-4, 6, 9], [3, 3, 8], [12, 5, 4], [6, 0, 7], [1, 9, 2, 4], [10, 7, 6], [4, -3, 8, 1], [5, 5, 2],
        [2, 11, 4, 3], [7, 6, 6, 9], [-5, 2, 10], [8, 3, 9, 2], [1, 6, 15], [9, 4, 1, 3], [2, 7], [6, 3], [-1, 4],
    ],
    STR: [
        "cat", "apple", "Bob", "tea 4", "go out", "Top", "eat it", "beta", "otter", "a1b2", "to do", "Book", "ab ba",
        "seat", "boot", "x 10 t", "Not me", "tot", "abba", "oboe 3", "The end", "be a bee", "data", "Eve",
    ],
    STRS: [
        ["cat", "to"], ["boat", "a", "tea"], ["go", "eat"], ["bob", "Top"], ["tab", "oat", "be"],
        ["art", "no", "art"],
        ["book", "ox"], ["ten", "one"], ["a", "bee", "toad"], ["hot", "tea"], ["Eve", "bat", "ox"],
        ["do", "re", "mi"],
        ["beta", "at"], ["toe", "b", "toe"], ["seat", "tub"], ["up", "and", "on"],
    ],
    TABLE: [
        {"a": 3, "b": 6}, {"to": 2, "be": 5}, {"x": 7, "y": 4}, {"tea": 1, "oat": 8}, {"cat": 6, "b": 3},
        {"bo": 9, "t": 2}, {"e": -2, "at": 4}, {"one": 5, "ten": 10}, {"ab": 8, "o": 1}, {"t": 4, "a": 7},
        {"bed": 2, "to": 7},
        {"k": 5, "boa": 6}, {"c": 1, "a": 2, "b": 4}, {"eat": 3, "no": -1},
    ],
    INT: [14, 17, 19, 22, 23, 26, 29, 31, 32, 34, 35, -3, -4, -8, 45, 48],
}
"""Short inputs for public examples."""
# fmt: on
