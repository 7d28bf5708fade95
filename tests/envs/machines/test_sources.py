"""Trees out of git repositories."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bai.envs.machines.sources import Sources
from bai.errors import ConfigError, DataError, MissingDependency

if TYPE_CHECKING:
    from conftest import Repository

NAMES = ["owner__name", "owner+name", "owner/name", "name"]


def test_a_commit_comes_as_it_is_stored(repository: Repository, tmp_path: Path) -> None:
    """Neither attributes nor ends of lines nor what archives leave out change a file, and no history comes along."""
    sources = Sources(repository.folder.parent, tmp_path)
    first, second = (sources.tree("owner/name", commit) for commit in (repository.first, repository.second))
    assert sorted(first) == [".gitattributes", "crlf.txt", "f", "gone"]
    assert first["crlf.txt"].data == b"a\r\nb\r\n"
    assert (first.text("f"), second.text("f")) == ("one\n", "two\n")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ending", ["", ".git", "/repo"])
@pytest.mark.parametrize("bare", [False, True])
def test_a_clone_is_found_by_every_name(
    repository: Repository, tmp_path: Path, name: str, ending: str, bare: bool
) -> None:
    """A directory of clones may be laid out in each of the usual ways, bare or not."""
    place = tmp_path / "others" / f"{name}{ending}"
    place.parent.mkdir(parents=True)
    repository.git("clone", "--quiet", *(["--bare"] if bare else []), str(repository.folder), str(place))
    tree = Sources(tmp_path / "others", tmp_path).tree("owner/name", repository.first)
    assert tree.text("f") == "one\n"


def test_a_template_is_cloned_once_and_fetched_for_a_new_commit(repository: Repository, tmp_path: Path) -> None:
    """A URL is cloned into the cache; a commit that is newer than the clone is fetched."""
    upstream = tmp_path / "upstream" / "owner" / "name.git"
    upstream.parent.mkdir(parents=True)
    shutil.move(repository.folder, upstream)
    repository.folder = upstream
    sources = Sources(f"file://{tmp_path}/upstream/{{repo}}.git", tmp_path / "cache")
    assert sources.tree("owner/name", repository.first).text("f") == "one\n"
    mirror = tmp_path / "cache" / "mirrors" / "owner__name.git"
    made = mirror.stat().st_ino
    third = repository.commit({"f": "three\n"})
    assert sources.tree("owner/name", third).text("f") == "three\n"
    assert mirror.stat().st_ino == made


@pytest.mark.parametrize(
    ("repo", "commit", "told"),
    [
        ("owner/other", "0" * 40, "owner/other is not in .*owner__other"),
        ("owner/name", "0" * 40, f"has no commit {'0' * 40}"),
        ("owner/name", "main", "hexadecimal"),
        ("owner/name", "--output=/x", "hexadecimal"),
        ("../../etc", "0" * 40, "owner/name"),
        ("name", "0" * 40, "owner/name"),
    ],
)
def test_what_is_not_there_is_said(repository: Repository, tmp_path: Path, repo: str, commit: str, told: str) -> None:
    """A repository or a commit that cannot be had is told in one sentence, with where it was looked for."""
    with pytest.raises(DataError, match=told):
        Sources(repository.folder.parent, tmp_path).tree(repo, commit)


def test_an_unreachable_repository_is_said(tmp_path: Path, needs_git: None) -> None:
    """A URL that nothing answers at is named, and leaves no half of a clone."""
    with pytest.raises(DataError, match="owner/name cannot be cloned from file:"):
        Sources(f"file://{tmp_path}/{{repo}}.git", tmp_path / "cache").tree("owner/name", "0" * 40)
    assert [path.name for path in (tmp_path / "cache" / "mirrors").iterdir()] == [".owner__name.git.lock"]


def test_no_source_is_said(tmp_path: Path) -> None:
    """Without repos, what would help is named."""
    with pytest.raises(DataError, match=r"give repos=\.\.\., a directory of clones or a URL .*--env-arg repos="):
        Sources(None, tmp_path).tree("owner/name", "0" * 40)


@pytest.mark.parametrize("repos", ["/no/such/directory", "https://example.org/name"])
def test_what_is_neither_a_directory_nor_a_template_is_refused(tmp_path: Path, repos: Any) -> None:
    """Repos is checked when it is given."""
    with pytest.raises(ConfigError, match="a directory of clones or a URL"):
        Sources(repos, tmp_path)


def test_without_git_its_absence_is_said(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine without git is told how to get it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingDependency, match="git"):
        Sources(repository.folder.parent, tmp_path).tree("owner/name", repository.first)
