"""Dockerfiles are carried out as far as files go, and no further."""

from __future__ import annotations

from pathlib import Path

import pytest

from bai.envs.machines.dockerfile import Container, read_dockerfile


def read(folder: Path, *lines: str, **files: str) -> Container:
    """Reads a Dockerfile beside some files."""
    defaults = {"a.py": "a", "b.py": "b", "src/c.py": "c", "src/deep/d.txt": "d"}
    for name, text in {**defaults, **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "Dockerfile").write_text("".join(f"{line}\n" for line in lines))
    return read_dockerfile(folder)


@pytest.mark.parametrize(
    ("copy", "files"),
    [
        ("COPY . .", {"a.py", "b.py", "src/c.py", "src/deep/d.txt"}),
        ("COPY . /app/inner", {"inner/a.py", "inner/b.py", "inner/src/c.py", "inner/src/deep/d.txt"}),
        ("COPY a.py /app/z.py", {"z.py"}),
        ("COPY a.py .", {"a.py"}),
        ("COPY a.py b.py dir/", {"dir/a.py", "dir/b.py"}),
        ("COPY --chown=me:me *.py ./", {"a.py", "b.py"}),
        ('COPY ["a.py", "with space.py"]', {"with space.py"}),
        ("COPY src/ lib", {"lib/c.py", "lib/deep/d.txt"}),
        ("COPY src/deep .", {"d.txt"}),
    ],
)
def test_files_are_copied_as_an_engine_copies_them(copy: str, files: set[str], tmp_path: Path) -> None:
    """A directory gives what is in it, a file itself, into a directory or under a new name."""
    found = read(tmp_path, "FROM python:3.11-slim", "WORKDIR /app", copy)
    assert (set(found.tree), found.wants, found.is_plain) == (files, "", True)


def test_what_changes_no_file_is_carried_out_or_passed_over(tmp_path: Path) -> None:
    """Variables, directories, comments, lines that go on, and the runner that a light machine has."""
    found = read(
        tmp_path,
        "# syntax=docker/dockerfile:1",
        "FROM docker.io/library/python:3.12",
        "LABEL a=b",
        'ENV ONE=1 TWO="and two"',
        "ENV THREE three and more",
        "WORKDIR /srv",
        "WORKDIR app",
        "RUN mkdir -p /srv/app/out \\",
        "    && pip install --no-cache-dir 'pytest==8.4.1'",
        "COPY a.py ./",
        'CMD ["bash"]',
    )
    assert found.variables == {"ONE": "1", "TWO": "and two", "THREE": "three and more"}
    assert (found.workdir, found.wants, list(found.tree)) == ("/srv/app", "", ["a.py"])


@pytest.mark.parametrize(
    "line",
    [
        "RUN pip install numpy",
        "RUN mkdir out && make",
        "COPY --from=other /x /app/x",
        "COPY $FILE .",
        "COPY a.py /etc/a.py",
        "ADD https://example.org/x.tar /app/",
        "ARG VERSION=1",
        "FROM debian",
        "RUN <<EOF",
    ],
)
def test_the_first_instruction_that_wants_more_is_named(line: str, tmp_path: Path) -> None:
    """Then nothing is made of the rest."""
    found = read(tmp_path, "FROM python:3.11", "WORKDIR /app", "COPY . .", line)
    assert found.wants.split(" which ")[0].rstrip(",").startswith(line.split(" ")[0])
    assert (found.is_plain, dict(found.tree)) == (False, {})


def test_only_images_that_hold_nothing_of_a_task_are_stood_in_for(tmp_path: Path) -> None:
    """Python's own, Debian's and Ubuntu's."""
    for base, plain in [("debian:bookworm-slim", True), ("ubuntu", True), ("own/python:3", False), ("node:20", False)]:
        assert read(tmp_path, f"FROM {base}", "WORKDIR /app").is_plain is plain
    assert read_dockerfile(tmp_path / "src").wants == "there is no environment/Dockerfile"
