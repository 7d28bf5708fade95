"""Operations that take a string or a list of strings."""

from __future__ import annotations

from bai.envs.tasks.micro.kinds import BOOL, INT, INTS, STR, STRS, TABLE
from bai.envs.tasks.micro.table import Row

__all__ = ["ROWS"]

_LETTERS = ("a", "b", "e", "o", "t")
_MARKS = ("!", "x", "z", "-")

_STRINGS: tuple[Row, ...] = (
    ("upper", STR, STR, "_.upper()", "uppercase it", "case"),
    ("lower", STR, STR, "_.lower()", "lowercase it", "case"),
    ("swap_case", STR, STR, "_.swapcase()", "swap upper and lower case", "case"),
    ("title", STR, STR, "_.title()", "capitalize each word", "case"),
    ("sort_letters", STR, STR, "''.join(sorted(_))", "sort its characters", "order"),
    ("unique_letters", STR, STR, "''.join(dict.fromkeys(_))", "drop repeated characters", "order"),
    ("remove", STR, STR, "_.replace(K, '')", "remove every K|delete each K", "replace", _LETTERS),
    ("star", STR, STR, "_.replace(K, '*')", "replace K with '*'", "replace", _LETTERS),
    ("keep_vowels", STR, STR, "''.join(c for c in _ if c in 'aeiou')", "keep the vowels", "letters"),
    ("drop_vowels", STR, STR, "''.join(c for c in _ if c not in 'aeiou')", "drop the vowels", "letters"),
    ("keep_letters", STR, STR, "''.join(c for c in _ if c.isalpha())", "keep the letters", "letters"),
    ("keep_digits", STR, STR, "''.join(c for c in _ if c.isdecimal())", "keep the digits", "letters"),
    ("drop_spaces", STR, STR, "_.replace(' ', '')", "remove the spaces", "letters"),
    ("double_letters", STR, STR, "''.join(c + c for c in _)", "double each character", "repeat"),
    ("append", STR, STR, "_ + K", "append K|add K at the end", "extend", _MARKS),
    ("prepend", STR, STR, "K + _", "prepend K|put K in front", "extend", _MARKS),
)

_FROM_STRINGS: tuple[Row, ...] = (
    ("count_vowels", STR, INT, "sum(c in 'aeiou' for c in _)", "count the vowels", "count"),
    ("count_upper", STR, INT, "sum(c.isupper() for c in _)", "count the capital letters", "count"),
    ("count_letter", STR, INT, "_.count(K)", "count each K|count how often K occurs", "count", _LETTERS),
    ("count_distinct", STR, INT, "len(set(_))", "count distinct characters", "length"),
    ("word_lengths", STR, INTS, "[len(w) for w in _.split()]", "list the word lengths", "list"),
    ("digit_list", STR, INTS, "[int(c) for c in _ if c.isdecimal()]", "list its digits", "list"),
    ("vowel_places", STR, INTS, "[i for i, c in enumerate(_) if c in 'aeiou']", "list the indices of vowels", "list"),
    ("words", STR, STRS, "_.split()", "split it into words", "split"),
    ("characters", STR, STRS, "list(_)", "list its characters", "split"),
    ("tally", STR, TABLE, "{c: _.count(c) for c in _}", "map each character to its count", "build"),
    ("places", STR, TABLE, "{c: i for i, c in enumerate(_)}", "map each character to its last index", "build"),
    ("has_letter", STR, BOOL, "K in _", "check if it contains K", "test", _LETTERS),
    ("palindrome", STR, BOOL, "_ == _[::-1]", "check if it is a palindrome", "test"),
)

_WORDS: tuple[Row, ...] = (
    ("keep_longer", STRS, STRS, "[w for w in _ if len(w) > K]", "keep words longer than K", "bound", (1, 2, 3, 4)),
    ("keep_shorter", STRS, STRS, "[w for w in _ if len(w) < K]", "keep words shorter than K", "bound", (3, 4, 5)),
    ("keep_with", STRS, STRS, "[w for w in _ if K in w]", "keep words containing K", "contain", _LETTERS),
    ("keep_without", STRS, STRS, "[w for w in _ if K not in w]", "drop words containing K", "contain", _LETTERS),
    ("upper_each", STRS, STRS, "[w.upper() for w in _]", "uppercase each", "case"),
    ("lower_each", STRS, STRS, "[w.lower() for w in _]", "lowercase each", "case"),
    ("reverse_each", STRS, STRS, "[w[::-1] for w in _]", "reverse each word", "letters"),
    ("double_each", STRS, STRS, "[w + w for w in _]", "double each word", "letters"),
    ("heads", STRS, STRS, "[w[:K] for w in _]", "cut each to K characters", "cut", (1, 2, 3)),
    ("append_each", STRS, STRS, "[w + K for w in _]", "append K to each", "extend", _MARKS),
    ("prepend_each", STRS, STRS, "[K + w for w in _]", "prepend K to each", "extend", _MARKS),
    ("sort", STRS, STRS, "sorted(_)", "sort the words|sort alphabetically", "order"),
    ("sort_length", STRS, STRS, "sorted(_, key=len)", "sort by length", "order"),
)

_FROM_WORDS: tuple[Row, ...] = (
    ("join", STRS, STR, "''.join(_)", "join them", "join"),
    ("join_spaces", STRS, STR, "' '.join(_)", "join them with spaces", "join"),
    ("join_dashes", STRS, STR, "'-'.join(_)", "join them with dashes", "join"),
    ("initials", STRS, STR, "''.join(w[:1] for w in _)", "join the first letters", "join"),
    ("first", STRS, STR, "_[0] if _ else ''", "take the first or ''", "pick"),
    ("longest", STRS, STR, "max(_, key=len, default='')", "take the longest or ''", "pick"),
    ("shortest", STRS, STR, "min(_, key=len, default='')", "take the shortest or ''", "pick"),
    ("total_length", STRS, INT, "sum(len(w) for w in _)", "sum the lengths", "count"),
    ("count_longer", STRS, INT, "sum(len(w) > K for w in _)", "count words longer than K", "count", (1, 2, 3, 4)),
    ("lengths", STRS, INTS, "[len(w) for w in _]", "take the length of each", "list"),
    ("vowel_counts", STRS, INTS, "[sum(c in 'aeiou' for c in w) for w in _]", "count the vowels of each", "list"),
    ("any_longer", STRS, BOOL, "any(len(w) > K for w in _)", "check if any is longer than K", "test", (1, 2, 3, 4)),
    ("length_table", STRS, TABLE, "{w: len(w) for w in _}", "map each word to its length", "build"),
    ("tally", STRS, TABLE, "{w: _.count(w) for w in _}", "map each word to its count", "build"),
    ("places", STRS, TABLE, "{w: i for i, w in enumerate(_)}", "map each word to its last index", "build"),
)

ROWS: tuple[Row, ...] = _STRINGS + _FROM_STRINGS + _WORDS + _FROM_WORDS
