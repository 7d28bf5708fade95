"""What the tables are about: names of tables, columns and things. A theme belongs to one split."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["HELD_OUT", "TRAIN", "Theme"]


@dataclass(frozen=True, kw_only=True)
class Theme:
    """A subject with two tables."""

    table: str
    """The main table."""
    group: str
    """A column of kinds."""
    groups: tuple[str, ...]
    """Its values."""
    place: str
    """A column of places, the key of the second table."""
    places: tuple[str, ...]
    """Its values."""
    region: str
    """The column of the second table that places are grouped by."""
    regions: tuple[str, ...]
    """Its values."""
    x: str
    """A column of positive numbers."""
    y: str
    """A column of numbers that depend on it."""
    unit: str
    """Unit of ``x``."""

    @property
    def second(self) -> str:
        """Name of the second table."""
        return f"{self.place}s"


_DIRECTIONS = ("north", "east", "south", "west")

TRAIN = (
    Theme(
        table="sales",
        group="product",
        groups=("lamp", "chair", "table", "shelf", "rug"),
        place="store",
        places=("Arden", "Birch", "Colby", "Dover", "Exeter", "Fulton", "Grant"),
        region="district",
        regions=_DIRECTIONS,
        x="weight",
        y="price",
        unit="kg",
    ),
    Theme(
        table="harvests",
        group="crop",
        groups=("wheat", "barley", "oats", "rye", "maize"),
        place="farm",
        places=("Hill", "Brook", "Meadow", "Ridge", "Valley", "Orchard"),
        region="county",
        regions=("Kell", "Morne", "Tarry"),
        x="area",
        y="yield_t",
        unit="ha",
    ),
    Theme(
        table="trips",
        group="vehicle",
        groups=("bus", "tram", "train", "ferry"),
        place="depot",
        places=("Alpha", "Bravo", "Delta", "Echo", "Golf", "Hotel", "India"),
        region="zone",
        regions=("A", "B", "C"),
        x="distance",
        y="minutes",
        unit="km",
    ),
    Theme(
        table="jobs",
        group="queue",
        groups=("batch", "urgent", "nightly", "test"),
        place="cluster",
        places=("ant", "bee", "cat", "dog", "eel", "fox"),
        region="site",
        regions=("Lund", "Oslo", "Turku"),
        x="input",
        y="seconds",
        unit="GB",
    ),
)
"""Themes of the split ``train``."""

HELD_OUT = (
    Theme(
        table="loans",
        group="genre",
        groups=("crime", "poetry", "travel", "history", "drama"),
        place="library",
        places=("Ash", "Beech", "Cedar", "Elm", "Fir", "Hazel"),
        region="borough",
        regions=("Castle", "Harbour", "Park"),
        x="pages",
        y="days",
        unit="p",
    ),
    Theme(
        table="visits",
        group="species",
        groups=("heron", "kite", "wren", "robin"),
        place="reserve",
        places=("Marsh", "Fen", "Heath", "Cliff", "Dune"),
        region="coast",
        regions=_DIRECTIONS,
        x="wind",
        y="count_seen",
        unit="kn",
    ),
)
"""Themes of the split ``heldout``."""
