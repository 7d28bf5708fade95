"""Values of a PostgreSQL server that Python has no place for: told as the server writes them."""

from __future__ import annotations

import functools
from typing import Any

from bai.envs.tools.postgres_sessions import import_psycopg

__all__ = ["adapters"]


@functools.cache
def adapters() -> Any:
    """Gives the library's ways of reading values, with ours for times.

    Dates beyond Python's (``infinity``, ``0044-03-15 BC``, the time ``24:00:00``) are text. So are all intervals: a
    month is no number of days, and a day no number of hours.
    """
    psycopg = import_psycopg()
    from psycopg.adapt import AdaptersMap, Loader
    from psycopg.types import datetime

    class Interval(Loader):
        def load(self, data: Any) -> str:
            return bytes(data).decode()

    def told(known: type[Loader]) -> type[Loader]:
        class Told(known):  # type: ignore[misc, valid-type]
            def load(self, data: Any) -> Any:
                try:
                    return super().load(data)
                except psycopg.DataError:
                    return bytes(data).decode()

        return Told

    ours = AdaptersMap(psycopg.adapters)
    ours.register_loader("interval", Interval)
    ours.register_loader("date", told(datetime.DateLoader))
    ours.register_loader("time", told(datetime.TimeLoader))
    ours.register_loader("timetz", told(datetime.TimetzLoader))
    ours.register_loader("timestamp", told(datetime.TimestampLoader))
    ours.register_loader("timestamptz", told(datetime.TimestamptzLoader))
    return ours
