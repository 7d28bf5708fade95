"""Writes ``docs/environments/NAME.md`` for every registered id, from the docstring of its class.

Run by ``make docs`` before ``mkdocs build``. A docstring has to have Gymnasium's sections in Gymnasium's
order, so that every page reads like the pages of Gymnasium's own environments.
"""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

from bai.envs.registration import ENV_IDS

SECTIONS = (
    "Description",
    "Action Space",
    "Observation Space",
    "Rewards",
    "Starting State",
    "Episode End",
    "Information",
    "Arguments",
    "Vectorization",
    "References",
    "Version History",
)
"""What a page has, in this order; other sections may stand between them."""
FOLDER = Path(__file__).parent / "environments"


def page(env_id: str) -> str:
    """Gives the page of one id.

    Raises:
        ValueError: The docstring lacks a section, or has them in another order.
    """
    module, name = ENV_IDS[env_id].split(":")
    text = inspect.getdoc(getattr(importlib.import_module(module), name)) or ""
    found = [title for title in re.findall(r"^## (.+)$", text, re.MULTILINE) if title in SECTIONS]
    if tuple(found) != SECTIONS:
        raise ValueError(f"{module}.{name}: expected the sections {', '.join(SECTIONS)}; got {', '.join(found)}")
    return f"# {env_id}\n\n{text.strip()}\n"


def file_of(env_id: str) -> Path:
    """Gives the file that the page of an id is written to."""
    name = env_id.split("/")[-1].rsplit("-v", 1)[0]
    return FOLDER / f"{name.lower()}.md"


def main() -> None:
    """Writes every page."""
    FOLDER.mkdir(exist_ok=True)
    for env_id in ENV_IDS:
        file_of(env_id).write_text(page(env_id), encoding="utf-8")
        print(f"wrote {file_of(env_id).relative_to(FOLDER.parent.parent)}")


if __name__ == "__main__":
    main()
