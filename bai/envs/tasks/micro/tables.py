"""Operations that take a dictionary, and those that sequences of any kind share."""

from __future__ import annotations

from bai.envs.tasks.micro.kinds import BOOL, COUNTS, INT, INTS, NAMES, STR, STRS, TABLE
from bai.envs.tasks.micro.table import Row

__all__ = ["ROWS"]

_SMALL = tuple(range(1, 8))
_LETTERS = ("a", "b", "e", "o", "t")


def _sequence(kind: str, whole: str) -> tuple[Row, ...]:
    """Operations of lists and strings, where ``whole`` names the sequence in words."""
    return (
        ("reverse", kind, kind, "_[::-1]", f"reverse {whole}", "order"),
        ("head", kind, kind, "_[:K]", "keep the first K|take the first K", "slice", (1, 2, 3, 4)),
        ("tail", kind, kind, "_[-K:]", "keep the last K|take the last K", "slice", (1, 2, 3, 4)),
        ("skip", kind, kind, "_[K:]", "drop the first K|skip the first K", "slice", (1, 2, 3)),
        ("trim", kind, kind, "_[:-K]", "drop the last K", "slice", (1, 2, 3)),
        ("alternate_items", kind, kind, "_[::2]", "keep every second from the first", "slice"),
        ("rotate", kind, kind, "_[K:] + _[:K]", "rotate left by K", "slice", (1, 2, 3)),
        ("mirror", kind, kind, "_ + _[::-1]", "append its reverse", "repeat"),
        ("twice", kind, kind, "_ + _", f"repeat {whole} twice", "repeat"),
        ("length", kind, INT, "len(_)", "take the length|count the items", "length"),
    )


def _list(kind: str) -> tuple[Row, ...]:
    return (
        ("unique", kind, kind, "list(dict.fromkeys(_))", "remove repeats|drop duplicates", "order"),
        ("count_distinct", kind, INT, "len(set(_))", "count distinct items", "length"),
        ("has_repeats", kind, BOOL, "len(set(_)) < len(_)", "check for repeats", "test"),
    )


def _integer_values(kind: str) -> tuple[Row, ...]:
    """Operations of dictionaries whose values are integers."""
    return (
        ("values_above", kind, kind, "{k: v for k, v in _.items() if v > K}", "keep values above K", "bound", _SMALL),
        ("values_below", kind, kind, "{k: v for k, v in _.items() if v < K}", "keep values below K", "bound", _SMALL),
        ("values_even", kind, kind, "{k: v for k, v in _.items() if v % 2 == 0}", "keep even values", "parity"),
        ("values_odd", kind, kind, "{k: v for k, v in _.items() if v % 2 == 1}", "keep odd values", "parity"),
        ("add_values", kind, kind, "{k: v + K for k, v in _.items()}", "add K to each value", "shift", _SMALL),
        (
            "subtract_values",
            kind,
            kind,
            "{k: v - K for k, v in _.items()}",
            "subtract K from each value",
            "shift",
            _SMALL,
        ),
        (
            "multiply_values",
            kind,
            kind,
            "{k: v * K for k, v in _.items()}",
            "multiply each value by K",
            "scale",
            (2, 3, 4),
        ),
        ("negate_values", kind, kind, "{k: -v for k, v in _.items()}", "negate each value", "alone"),
        ("square_values", kind, kind, "{k: v * v for k, v in _.items()}", "square each value", "alone"),
        ("values", kind, INTS, "list(_.values())", "list the values", "list"),
        ("sorted_values", kind, INTS, "sorted(_.values())", "list the values sorted", "list"),
        ("sum_values", kind, INT, "sum(_.values())", "sum the values", "total"),
        ("largest_value", kind, INT, "max(_.values(), default=0)", "take the largest value or 0", "total"),
        ("smallest_value", kind, INT, "min(_.values(), default=0)", "take the smallest value or 0", "total"),
        ("size", kind, INT, "len(_)", "count the entries", "length"),
        ("distinct_values", kind, INT, "len(set(_.values()))", "count distinct values", "length"),
    )


_WORD_KEYS: tuple[Row, ...] = (
    ("keys_with", TABLE, TABLE, "{k: v for k, v in _.items() if K in k}", "keep keys containing K", "keys", _LETTERS),
    (
        "keys_longer",
        TABLE,
        TABLE,
        "{k: v for k, v in _.items() if len(k) > K}",
        "keep keys longer than K",
        "keys",
        (1, 2, 3),
    ),
    ("upper_keys", TABLE, TABLE, "{k.upper(): v for k, v in _.items()}", "uppercase each key", "case"),
    ("reverse_keys", TABLE, TABLE, "{k[::-1]: v for k, v in _.items()}", "reverse each key", "case"),
    ("add_length", TABLE, TABLE, "{k: v + len(k) for k, v in _.items()}", "add its key length to each value", "shift"),
    ("keys", TABLE, STRS, "list(_)", "list the keys", "list"),
    ("sorted_keys", TABLE, STRS, "sorted(_)", "list the keys sorted", "list"),
    (
        "keys_above",
        TABLE,
        STRS,
        "[k for k, v in _.items() if v > K]",
        "list keys with values above K",
        "select",
        _SMALL,
    ),
    (
        "keys_below",
        TABLE,
        STRS,
        "[k for k, v in _.items() if v < K]",
        "list keys with values below K",
        "select",
        _SMALL,
    ),
    ("keys_ranked", TABLE, STRS, "sorted(_, key=_.get)", "list the keys sorted by value", "list"),
    ("join_keys", TABLE, STR, "''.join(_)", "join the keys", "pick"),
    ("top_key", TABLE, STR, "max(_, key=_.get, default='')", "take the key of the largest value or ''", "pick"),
    ("low_key", TABLE, STR, "min(_, key=_.get, default='')", "take the key of the smallest value or ''", "pick"),
    ("invert", TABLE, NAMES, "{v: k for k, v in _.items()}", "swap keys and values", "invert"),
    ("by_length", TABLE, NAMES, "{len(k): k for k in _}", "map each key length to its last key", "invert"),
)

_NUMBER_KEYS: tuple[Row, ...] = (
    ("number_keys", COUNTS, INTS, "list(_)", "list the keys", "list"),
    (
        "keys_above",
        COUNTS,
        INTS,
        "[k for k, v in _.items() if v > K]",
        "list keys with values above K",
        "select",
        _SMALL,
    ),
    ("keys_ranked", COUNTS, INTS, "sorted(_, key=_.get)", "list the keys sorted by value", "list"),
    ("products", COUNTS, INTS, "[k * v for k, v in _.items()]", "list each key times its value", "list"),
    ("invert", COUNTS, COUNTS, "{v: k for k, v in _.items()}", "swap keys and values", "alone"),
    ("name_keys", NAMES, INTS, "sorted(_)", "list the keys sorted", "list"),
    ("name_lengths", NAMES, INTS, "[len(v) for v in _.values()]", "list the lengths of the values", "list"),
    ("names", NAMES, STRS, "list(_.values())", "list the values", "list"),
    ("ranked_names", NAMES, STRS, "[_[k] for k in sorted(_)]", "list the values by key", "list"),
    ("even_names", NAMES, NAMES, "{k: v for k, v in _.items() if k % 2 == 0}", "keep even keys", "parity"),
    ("odd_names", NAMES, NAMES, "{k: v for k, v in _.items() if k % 2 == 1}", "keep odd keys", "parity"),
    ("reverse_names", NAMES, NAMES, "{k: v[::-1] for k, v in _.items()}", "reverse each value", "case"),
    ("upper_names", NAMES, NAMES, "{k: v.upper() for k, v in _.items()}", "uppercase each value", "case"),
)

ROWS: tuple[Row, ...] = (
    *_sequence(INTS, "the list"),
    *_sequence(STR, "it"),
    *_sequence(STRS, "the list"),
    *_list(INTS),
    *_list(STRS),
    *_integer_values(TABLE),
    *_integer_values(COUNTS),
    *_WORD_KEYS,
    *_NUMBER_KEYS,
)
