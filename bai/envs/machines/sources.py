"""Trees of public repositories, from git: local clones, bare mirrors, or a clone made once.

All of git that runs here runs on repositories that the user named, never on what an agent wrote.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bai.envs.machines.cache import make_once
from bai.envs.repository.tree import Tree
from bai.errors import ConfigError, DataError, MissingDependency

__all__ = ["Sources", "expect_repos", "run_git"]

TEMPLATE_FIELD = "{repo}"
_AS_STORED = "* -text -eol -ident -filter -working-tree-encoding -export-ignore -export-subst\n"
"""Attributes with which git hands files out as they are in the commit, whatever the repository asks for."""
_NAME = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")


class Sources:
    """Finds repositories and reads commits of them.

    Args:
        repos: A directory that holds clones or bare mirrors, named ``owner__name``, ``owner+name``, ``owner/name`` or
            ``name``, each with ``.git`` behind it or not, or as the folder ``repo`` in one of that name; or a URL in
            which ``{repo}`` stands for ``owner/name``, cloned once into ``cache``.
        cache: Where clones are kept.

    Raises:
        ConfigError: ``repos`` is neither.
    """

    def __init__(self, repos: str | os.PathLike[str] | None, cache: Path) -> None:
        self._cache = cache
        self._template = self._folder = None
        expect_repos(repos)
        if repos is not None and TEMPLATE_FIELD in os.fspath(repos):
            self._template = os.fspath(repos)
        elif repos is not None:
            self._folder = Path(repos)

    def tree(self, repo: str, commit: str) -> Tree:
        """Gives the files of a commit as they are stored in it.

        Raises:
            DataError: The repository cannot be had, or has no such commit.
            MissingDependency: There is no git.
        """
        if not _COMMIT.fullmatch(commit):
            raise DataError(f"expected a commit of {repo} as hexadecimal digits; got {commit!r:.100}")
        place = self._find(repo)
        if not _has(place, commit):
            if self._template is not None:
                _fetch(place)
            if not _has(place, commit):
                raise DataError(f"{repo} has no commit {commit}: looked in {place}")
        return Tree.from_archive(_archive(place, commit))

    def _find(self, repo: str) -> Path:
        if not _NAME.fullmatch(repo):
            raise DataError(f"expected a repository as owner/name; got {repo!r:.200}")
        if self._template is not None:
            return self._clone(repo, self._template.replace(TEMPLATE_FIELD, repo))
        if self._folder is None:
            raise DataError(
                f"no source of {repo}: give repos=..., a directory of clones or a URL with {TEMPLATE_FIELD} in it (on "
                f"the command line --env-arg repos=..., or --repos of bai tasks check)"
            )
        tried = list(_names(repo))
        for name in tried:
            for place in (self._folder / name, self._folder / name / "repo"):
                if (found := _git_folder(place)) is not None:
                    return found
        raise DataError(f"{repo} is not in {self._folder}: there is no clone named {', '.join(tried)}")

    def _clone(self, repo: str, url: str) -> Path:
        def clone(draft: Path) -> None:
            try:
                run_git("clone", "--quiet", "--bare", "--", url, str(draft))
            except DataError as error:
                raise DataError(f"{repo} cannot be cloned from {url}: {error}") from error

        return make_once(self._cache / "mirrors" / f"{repo.replace('/', '__')}.git", clone)


def expect_repos(repos: str | os.PathLike[str] | None) -> None:
    """Passes None, the path of a directory, and a URL with ``{repo}`` in it.

    Raises:
        ConfigError: It is none of them.
    """
    if repos is None or TEMPLATE_FIELD in os.fspath(repos) or Path(repos).is_dir():
        return
    found = "is no directory" if Path(repos).exists() else "does not exist"
    raise ConfigError(
        f"repos is a directory of clones or a URL with {TEMPLATE_FIELD} in it; {os.fspath(repos)!r:.200} {found}"
    )


def run_git(*arguments: str, folder: Path | None = None, environment: dict[str, str] | None = None) -> bytes:
    """Runs git on the trusted side, with no settings of this machine's; gives what it printed.

    Raises:
        DataError: It failed; the message is its last line.
        MissingDependency: There is none.
    """
    if shutil.which("git") is None:
        raise MissingDependency("git", "apt-get install git", "reading repositories")
    settings = {
        "PATH": os.environ.get("PATH", os.defpath),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
        # Where a clone has to go through one.
        **{name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")},
        **{name: value for name, value in os.environ.items() if name in ("SSH_AUTH_SOCK", "SSL_CERT_FILE", "HOME")},
        **(environment or {}),
    }
    done = subprocess.run(
        ["git", *arguments], capture_output=True, check=False, cwd=folder, env=settings, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise DataError(said[-1] if said else f"git {arguments[0]} failed with code {done.returncode}")
    return done.stdout


def _names(repo: str) -> Iterator[str]:
    owner, _, name = repo.partition("/")
    for stem in (f"{owner}__{name}", f"{owner}+{name}", f"{owner}/{name}", name):
        yield stem
        yield f"{stem}.git"


def _git_folder(place: Path) -> Path | None:
    """The folder with a repository's objects at ``place``, which is a clone or bare."""
    for folder in (place / ".git", place):
        if (folder / "objects").is_dir() and (folder / "HEAD").exists():
            return folder
    return None


def _has(place: Path, commit: str) -> bool:
    with tempfile.TemporaryDirectory() as own:
        try:
            return _read(place, Path(own), "cat-file", "-t", commit).strip() == b"commit"
        except DataError:
            return False


def _archive(place: Path, commit: str) -> bytes:
    with tempfile.TemporaryDirectory() as own:
        return _read(place, Path(own), "archive", "--format=tar", commit)


def _read(place: Path, own: Path, *arguments: str) -> bytes:
    """Runs git on a repository's objects alone: with settings, attributes and an owner of its own."""
    objects = place / "objects"
    if not (own / "HEAD").exists():
        for folder in ("refs", "info", "objects"):
            (own / folder).mkdir(parents=True)
        (own / "HEAD").write_text("ref: refs/heads/none\n", encoding="ascii")
        (own / "info" / "attributes").write_text(_AS_STORED, encoding="ascii")
    return run_git(*arguments, environment={"GIT_DIR": str(own), "GIT_OBJECT_DIRECTORY": str(objects.resolve())})


def _fetch(place: Path) -> None:
    run_git("fetch", "--quiet", "origin", "+refs/*:refs/*", environment={"GIT_DIR": str(place)})
