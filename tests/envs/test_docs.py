"""The pages of the environments are those of their docstrings."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from bai.envs.registration import ENV_IDS

DOCS = Path(__file__).resolve().parents[2] / "docs"


def _build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_build", DOCS / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("env_id", ENV_IDS)
def test_every_id_has_its_page_and_the_page_is_current(env_id: str) -> None:
    """A changed docstring wants ``python docs/build.py``; the sections are Gymnasium's, in its order."""
    build = _build()
    assert build.file_of(env_id).read_text(encoding="utf-8") == build.page(env_id)
