from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from bai.envs.repository.tree import Entry, Tree
from bai.envs.tasks.mutation import layouts, project
from bai.envs.tasks.mutation.project import Project
from bai.errors import DataError


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("INIT", "__init__")
        path = path.with_name(f"{path.name}.py") if not path.suffix else path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def tree(*paths: str) -> Tree:
    return Tree({path: Entry(data=b"") for path in paths})


@pytest.mark.parametrize(
    ("paths", "packages", "modules", "tests"),
    [
        (
            ("box/__init__.py", "box/a.py", "box/tests/test_a.py", "box/_version.py", "setup.py"),
            ("box",),
            ("box/__init__.py", "box/a.py"),
            ("box/tests",),
        ),
        (
            ("src/box/__init__.py", "tests/unit/test_a.py", "conftest.py"),
            ("src/box",),
            ("src/box/__init__.py",),
            ("tests",),
        ),
        (("box.py", "test_box.py", "setup.py", "docs/__init__.py"), ("box.py",), ("box.py",), ("test_box.py",)),
        (("box/__init__.py", "tests/__init__.py", "tests/box_test.py"), ("box",), ("box/__init__.py",), ("tests",)),
    ],
)
def test_usual_layouts_are_understood(
    paths: tuple[str, ...], packages: tuple[str, ...], modules: tuple[str, ...], tests: tuple[str, ...]
) -> None:
    """Flat and ``src`` layouts, single modules, tests inside, beside and below are found."""
    files = tree(*paths)
    assert layouts.find_packages(files) == packages
    assert layouts.find_modules(files, packages) == modules
    assert layouts.find_tests(files) == tests


def test_a_directory_becomes_a_project(tmp_path: Path) -> None:
    """Name and version come from pyproject.toml; caches and version control stay out of the tree."""
    written(tmp_path, src__box__INIT="", tests__test_a="", __pycache__="")
    written(tmp_path / ".git", config="")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "the-box"\nversion = "1.2"\n')
    found = Project.from_path(tmp_path)
    assert (found.name, found.version, found.repo) == ("the-box", "1.2", "package/the-box")
    assert found.python_path == ("src",) and found.import_names == ("box",)
    assert set(found.modules) == {"src/box/__init__.py"}
    assert not any(path.startswith(".git") for path in found.tree)


def test_a_shipped_library_is_named_in_its_origin(tmp_path: Path) -> None:
    """A library's rows say which, instead of keeping its files."""
    folder = written(tmp_path / "box", box__INIT="", tests__test_a="")
    found = Project.from_path(folder, library=True)
    assert (found.name, found.version, found.repo, found.origin) == ("box", "0", "library/box", {"library": "box"})


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"README.md": ""}, "has no package"),
        ({"box__INIT": ""}, "has no tests"),
        ({"box__INIT": "", "box__fast.c": "", "tests__test_a": ""}, "not pure Python: it has box/fast.c"),
        ({"box__INIT": "", "Cargo.toml": "", "tests__test_a": ""}, "not pure Python"),
        ({"box__INIT": "", "tests__test_a": "", "pyproject.toml": "[["}, "pyproject.toml cannot be read"),
    ],
)
def test_unfit_directories_are_refused(tmp_path: Path, files: dict[str, str], said: str) -> None:
    """What cannot be made tasks from is told in one sentence."""
    with pytest.raises(DataError, match=said):
        Project.from_path(written(tmp_path, **files))


def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A wrong path is named."""
    with pytest.raises(DataError, match="nowhere"):
        Project.from_path(tmp_path / "nowhere")


@pytest.mark.parametrize("requirement", ["inflection", "inflection>=1", "", "--index-url==1", "a==b; import os"])
def test_a_package_is_named_with_its_version(requirement: str) -> None:
    """Only NAME==VERSION is taken, so that tasks can be made again; options never reach pip."""
    with pytest.raises(DataError, match="NAME==VERSION"):
        Project.from_package(requirement)


def test_pip_says_what_it_cannot_fetch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the distribution there is one sentence with pip's reason."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(DataError, match=r"cannot fetch a source distribution of no-such-box==1.0: .*no-such-box"):
        Project.from_package("no-such-box==1.0")


def packed(path: Path, **files: str) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"box-1.0/{name.replace('__', '/')}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return path


def test_a_source_distribution_is_unpacked_without_its_top(tmp_path: Path) -> None:
    """Its files lie at the root of the tree; its requirements are read, extras left out."""
    about = "Metadata-Version: 2.1\nName: box\nRequires-Dist: six\nRequires-Dist: pytest; extra == 'test'\n\nText\n"
    found = project._unpack(packed(tmp_path / "box-1.0.tar.gz", **{"PKG-INFO": about, "box__a.py": "x = 1\n"}))
    assert set(found) == {"PKG-INFO", "box/a.py"}
    assert project._requirements(found) == ("six",)


def test_other_archives_are_refused(tmp_path: Path) -> None:
    """A zip, or what is no archive, is told by its name."""
    broken = tmp_path / "box-1.0.tar.gz"
    broken.write_bytes(b"no archive")
    for path in (broken, tmp_path / "box-1.0.zip"):
        with pytest.raises(DataError, match=path.name):
            project._unpack(path)


def test_a_damaged_or_endless_archive_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that gzip cannot inflate, and an archive that unpacks without end, are told by name as well."""
    file = tmp_path / "box-1.0.tar.gz"
    whole = gzip.compress(bytes(range(256)) * 40)
    file.write_bytes(whole[:10] + bytes([whole[10] | 0x06]) + whole[11:])
    with pytest.raises(DataError, match=f"{file.name} cannot be read"):
        project._unpack(file)
    monkeypatch.setattr(project, "_MOST_BYTES", 1000)
    file.write_bytes(gzip.compress(bytes(2000)))
    with pytest.raises(DataError, match=f"{file.name} holds more than 1000 bytes"):
        project._unpack(file)
