"""Where the files of public sets are looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from bai.envs.tasks.files import locate
from bai.envs.tasks.load import PUBLIC_SETS, load_task_set
from bai.errors import ConfigError, TaskSetNotFound


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A data folder and a cache folder of this test's own."""
    data, cache = tmp_path / "data", tmp_path / "cache"
    monkeypatch.setenv("BAI_DATA_DIR", str(data))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    return data, cache


@pytest.mark.parametrize("name", PUBLIC_SETS)
def test_an_absent_set_says_where_to_put_which_file(name: str, places: tuple[Path, Path]) -> None:
    """The message names the file, the place, and every place looked at."""
    data, cache = places
    with pytest.raises(TaskSetNotFound) as caught:
        load_task_set(name)
    message = str(caught.value)
    assert f"task set {name!r} is not on this machine: put {name}" in message
    assert all(str(folder) in message for folder in (data / "code", data, cache / "bai" / "code", cache / "bai"))


def test_the_data_folder_comes_before_the_cache(places: tuple[Path, Path]) -> None:
    """``code`` in BAI_DATA_DIR, then BAI_DATA_DIR, then the cache."""
    data, cache = places
    order = [data / "code", data, cache / "bai" / "code", cache / "bai"]
    for folder in reversed(order):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "mbpp.jsonl").write_text("")
        assert locate("mbpp", "mbpp.jsonl") == folder / "mbpp.jsonl"


@pytest.mark.parametrize("name", ["humaneval.jsonl.gz", "humaneval.jsonl", "humaneval.parquet", "humaneval"])
def test_other_dresses_are_good(name: str, places: tuple[Path, Path]) -> None:
    """A set may be unpacked, a parquet file or a saved directory."""
    places[0].mkdir(parents=True)
    (places[0] / name).mkdir() if name == "humaneval" else (places[0] / name).write_text("")
    assert locate("humaneval", "humaneval.jsonl.gz") == places[0] / name


def test_without_a_data_folder_the_message_offers_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever has set nothing learns of BAI_DATA_DIR."""
    monkeypatch.delenv("BAI_DATA_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(TaskSetNotFound, match="or set BAI_DATA_DIR to a folder that holds it"):
        load_task_set("mbpp")


def test_filters_that_a_set_does_not_know_are_named(tmp_path: Path) -> None:
    """Only ``split`` and ``difficulty`` filter a finite set; ``micro`` says what it takes."""
    with pytest.raises(ConfigError, match="takes split and difficulty; got colour"):
        load_task_set("mbpp", colour="red")
    with pytest.raises(ConfigError, match="'micro' has no argument colour"):
        load_task_set("micro", colour="red")
