"""Operations that take a list of integers or one integer."""

from __future__ import annotations

from bai.envs.tasks.micro.kinds import BOOL, COUNTS, INT, INTS, STR, STRS
from bai.envs.tasks.micro.table import Row

__all__ = ["ROWS"]

_SMALL = tuple(range(1, 10))

_FILTERS: tuple[Row, ...] = (
    ("keep_even", INTS, INTS, "[x for x in _ if x % 2 == 0]", "keep the even numbers|drop the odd numbers", "parity"),
    ("keep_odd", INTS, INTS, "[x for x in _ if x % 2 == 1]", "keep the odd numbers|drop the even numbers", "parity"),
    ("keep_positive", INTS, INTS, "[x for x in _ if x > 0]", "keep the positive numbers", "sign"),
    ("keep_negative", INTS, INTS, "[x for x in _ if x < 0]", "keep the negative numbers", "sign"),
    (
        "keep_above",
        INTS,
        INTS,
        "[x for x in _ if x > K]",
        "keep numbers above K|drop all but those over K",
        "bound",
        _SMALL,
    ),
    (
        "keep_below",
        INTS,
        INTS,
        "[x for x in _ if x < K]",
        "keep numbers below K|drop all but those under K",
        "bound",
        _SMALL,
    ),
    ("keep_multiples", INTS, INTS, "[x for x in _ if x % K == 0]", "keep multiples of K", "factor", (3, 4, 5)),
    ("drop_multiples", INTS, INTS, "[x for x in _ if x % K != 0]", "drop multiples of K", "factor", (3, 4, 5)),
    ("drop_equal", INTS, INTS, "[x for x in _ if x != K]", "drop every K|remove each K", "bound", (0, 1, 2, 3, 4, 5)),
)

_MAPS: tuple[Row, ...] = (
    ("add", INTS, INTS, "[x + K for x in _]", "add K to each|increase each by K", "shift", _SMALL),
    ("subtract", INTS, INTS, "[x - K for x in _]", "subtract K from each|decrease each by K", "shift", _SMALL),
    ("multiply", INTS, INTS, "[x * K for x in _]", "multiply each by K|scale each by K", "scale", (2, 3, 4, 5)),
    ("divide", INTS, INTS, "[x // K for x in _]", "floor-divide each by K", "scale", (2, 3, 4, 5)),
    (
        "remainder",
        INTS,
        INTS,
        "[x % K for x in _]",
        "take each modulo K|reduce each modulo K",
        "scale",
        (2, 3, 4, 5, 6, 7),
    ),
    ("square", INTS, INTS, "[x * x for x in _]", "square each", "alone"),
    ("negate", INTS, INTS, "[-x for x in _]", "negate each|flip each sign", "alone"),
    ("absolute", INTS, INTS, "[abs(x) for x in _]", "take absolute values|drop the signs", "alone"),
    ("at_most", INTS, INTS, "[min(x, K) for x in _]", "cap each at K|limit each to at most K", "clamp", _SMALL),
    ("at_least", INTS, INTS, "[max(x, K) for x in _]", "raise each to at least K", "clamp", _SMALL),
    ("add_index", INTS, INTS, "[x + i for i, x in enumerate(_)]", "add its index to each", "index"),
    ("times_index", INTS, INTS, "[x * i for i, x in enumerate(_)]", "multiply each by its index", "index"),
)

_LISTS: tuple[Row, ...] = (
    ("sort", INTS, INTS, "sorted(_)", "sort the numbers|sort in ascending order", "order"),
    ("sort_down", INTS, INTS, "sorted(_, reverse=True)", "sort in descending order|sort from high to low", "order"),
    ("sort_absolute", INTS, INTS, "sorted(_, key=abs)", "sort by absolute value", "order"),
    ("append", INTS, INTS, "_ + [K]", "append K|add K at the end", "extend", _SMALL),
    ("prepend", INTS, INTS, "[K] + _", "prepend K|put K in front", "extend", _SMALL),
    ("totals", INTS, INTS, "[sum(_[:i + 1]) for i in range(len(_))]", "take running totals", "scan"),
    ("maxima", INTS, INTS, "[max(_[:i + 1]) for i in range(len(_))]", "take running maxima", "scan"),
    ("gaps", INTS, INTS, "[b - a for a, b in zip(_, _[1:])]", "take differences of neighbours", "pairs"),
    ("pair_sums", INTS, INTS, "[a + b for a, b in zip(_, _[1:])]", "take sums of neighbours", "pairs"),
)

_REDUCTIONS: tuple[Row, ...] = (
    ("sum", INTS, INT, "sum(_)", "take the sum|sum them", "total"),
    ("sum_squares", INTS, INT, "sum(x * x for x in _)", "take the sum of squares", "total"),
    ("alternate", INTS, INT, "sum(_[::2]) - sum(_[1::2])", "take the alternating sum", "total"),
    ("largest", INTS, INT, "max(_, default=0)", "take the largest or 0|take the maximum or 0", "extreme"),
    ("smallest", INTS, INT, "min(_, default=0)", "take the smallest or 0|take the minimum or 0", "extreme"),
    ("spread", INTS, INT, "max(_) - min(_) if _ else 0", "take largest minus smallest or 0", "extreme"),
    ("first", INTS, INT, "_[0] if _ else 0", "take the first or 0", "end"),
    ("last", INTS, INT, "_[-1] if _ else 0", "take the last or 0", "end"),
    ("count_equal", INTS, INT, "_.count(K)", "count the K entries", "count", (0, 1, 2, 3, 4, 5)),
    ("count_above", INTS, INT, "sum(x > K for x in _)", "count numbers above K", "count", _SMALL),
    ("count_even", INTS, INT, "sum(x % 2 == 0 for x in _)", "count the even numbers", "count"),
    ("any_above", INTS, BOOL, "any(x > K for x in _)", "check if any is above K", "test", _SMALL),
    ("all_below", INTS, BOOL, "all(x < K for x in _)", "check if all are below K", "test", _SMALL),
    ("contains", INTS, BOOL, "K in _", "check if K is present", "test", _SMALL),
    ("is_sorted", INTS, BOOL, "_ == sorted(_)", "check if they are sorted", "test"),
)

_FROM_LISTS: tuple[Row, ...] = (
    ("texts", INTS, STRS, "[str(x) for x in _]", "turn each into a string", "convert"),
    ("bare_texts", INTS, STRS, "[str(abs(x)) for x in _]", "turn each into a string without sign", "convert"),
    ("join_digits", INTS, STR, "''.join(str(x) for x in _)", "join them as text", "join"),
    ("join_dashes", INTS, STR, "'-'.join(str(x) for x in _)", "join them with dashes", "join"),
    ("tally", INTS, COUNTS, "{x: _.count(x) for x in _}", "map each number to its count", "build"),
    ("squares", INTS, COUNTS, "{x: x * x for x in _}", "map each number to its square", "build"),
    ("places", INTS, COUNTS, "{x: i for i, x in enumerate(_)}", "map each number to its last index", "build"),
)

_INTEGERS: tuple[Row, ...] = (
    ("add", INT, INT, "_ + K", "add K|increase it by K", "shift", _SMALL),
    ("subtract", INT, INT, "_ - K", "subtract K|decrease it by K", "shift", _SMALL),
    ("multiply", INT, INT, "_ * K", "multiply by K|scale it by K", "scale", (2, 3, 4, 5)),
    ("divide", INT, INT, "_ // K", "floor-divide by K", "scale", (2, 3, 4, 5)),
    ("remainder", INT, INT, "_ % K", "take it modulo K", "scale", (3, 4, 5, 6, 7, 8, 9)),
    ("square", INT, INT, "_ * _", "square it", "alone"),
    ("negate", INT, INT, "-_", "negate it", "alone"),
    ("absolute", INT, INT, "abs(_)", "take its absolute value", "alone"),
    ("at_most", INT, INT, "min(_, K)", "cap it at K", "clamp", _SMALL),
    ("at_least", INT, INT, "max(_, K)", "raise it to at least K", "clamp", _SMALL),
    ("digit_sum", INT, INT, "sum(int(c) for c in str(abs(_)))", "sum its digits", "digits"),
    ("digit_count", INT, INT, "len(str(abs(_)))", "count its digits", "digits"),
    ("digits", INT, INTS, "[int(c) for c in str(abs(_))]", "list its digits", "spread"),
    ("digits_back", INT, INTS, "[int(c) for c in str(abs(_))[::-1]]", "list its digits backwards", "spread"),
    ("text", INT, STR, "str(_)", "turn it into a string", "convert"),
    ("text_back", INT, STR, "str(_)[::-1]", "turn it into a string backwards", "convert"),
    ("even", INT, BOOL, "_ % 2 == 0", "check if it is even", "test"),
    ("above", INT, BOOL, "_ > K", "check if it is above K", "test", _SMALL),
)

_RANGES: tuple[Row, ...] = (
    ("count_up", INT, INTS, "list(range(1, _ + 1))", "list the numbers from 1 to n", "range", (None,), True),
    ("count_down", INT, INTS, "list(range(_, 0, -1))", "list the numbers from n to 1", "range", (None,), True),
    (
        "divisors",
        INT,
        INTS,
        "[x for x in range(1, _ + 1) if _ % x == 0]",
        "list the divisors of n",
        "range",
        (None,),
        True,
    ),
)

ROWS: tuple[Row, ...] = _FILTERS + _MAPS + _LISTS + _REDUCTIONS + _FROM_LISTS + _INTEGERS + _RANGES
