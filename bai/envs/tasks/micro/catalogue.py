"""All operations, by the kind of value they take."""

from __future__ import annotations

from bai.envs.tasks.micro import numbers, tables, text
from bai.envs.tasks.micro.operation import Operation
from bai.envs.tasks.micro.table import Row

__all__ = ["CATALOGUE"]


def _operation(row: Row) -> Operation:
    name, takes, gives, code, phrases, family = row[:6]
    return Operation(
        name=name,
        takes=takes,
        gives=gives,
        code=code,
        phrases=tuple(phrases.split("|")),
        family=family,
        constants=row[6] if len(row) > 6 else (None,),
        opening=row[7] if len(row) > 7 else False,
    )


_OPERATIONS = tuple(_operation(row) for row in numbers.ROWS + text.ROWS + tables.ROWS)

CATALOGUE: dict[str, tuple[Operation, ...]] = {
    kind: tuple(operation for operation in _OPERATIONS if operation.takes == kind)
    for kind in dict.fromkeys(operation.takes for operation in _OPERATIONS)
}
"""Kind of the incoming value to operations; a kind that is no key takes none (``bool``)."""
