"""What a project needs: resolved to exact versions, and there on its tasks' machine."""

from __future__ import annotations

import io
import tarfile
import zipfile
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest

from bai.envs.machines.workshop import LocalWorkshop
from bai.envs.sandbox import Limits
from bai.envs.tasks.mutation import project
from bai.envs.tasks.mutation.make import Wanted
from bai.envs.tasks.mutation.pins import resolve
from bai.envs.tasks.mutation.project import Project
from bai.envs.tasks.mutation.rows import machine_of, make_rows
from bai.envs.tasks.swebench import load_repair_rows
from bai.errors import DataError, InfraError, SandboxUnavailable

PURE, COMPILED = "py3-none-any", "cp311-abi3-manylinux_2_17_x86_64"


def wheel(folder: Path, name: str, version: str, tag: str = PURE, *needs: str) -> None:
    """Puts a wheel of one module into a folder."""
    info = f"{name}-{version}.dist-info"
    about = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}", *(f"Requires-Dist: {need}" for need in needs)]
    files = {
        f"{name}.py": f"version = {version!r}\n",
        f"{info}/METADATA": "\n".join(about) + "\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    record = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(folder / f"{name}-{version}-{tag}.whl", "w") as packed:
        for path, text in {**files, f"{info}/RECORD": record}.items():
            packed.writestr(path, text)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels, and nothing else that pip may look at."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    wheel(folder, "cup", "1.0", PURE, "saucer>=2", "box", "pluggy")
    wheel(folder, "cup", "2.0", COMPILED)
    wheel(folder, "saucer", "1.9")
    wheel(folder, "saucer", "2.1")
    wheel(folder, "box", "9.0")
    return folder


def test_requirements_come_to_exact_versions(index: Path) -> None:
    """Theirs too; the last version of pure Python is taken, and neither the project nor pytest's parts come along."""
    wheel(index, "pluggy", metadata.version("pluggy"))
    wheel(index, "pluggy", "99.0")
    assert resolve(["Cup; python_version >= '3'"], "Box") == ("cup==1.0", "saucer==2.1")
    assert resolve([], "Box") == ()


@pytest.mark.parametrize("wanted", ["plate", "cup>=2", "saucer>3", "--index-url=x"])
def test_what_cannot_be_had_is_said(index: Path, wanted: str) -> None:
    """Absent, compiled, and what is no requirement, in one sentence with pip's reason; options never reach pip."""
    with pytest.raises(DataError, match="cannot find what Box needs as wheels of pure Python: "):
        resolve([wanted], "Box")


def test_a_machine_has_what_its_project_needs(
    box: Project, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named in the task's origin and can be imported; without leave to build, it has to be there already."""
    needy = replace(box, requires=("saucer==2.1",))
    assert needy.needs == {"requires": "saucer==2.1"} and box.needs == {}
    cache = tmp_path / "cache"
    shop = LocalWorkshop(sandbox="process", cache_dir=cache, build=False)
    with pytest.raises(SandboxUnavailable, match=r"environment with saucer==2.1 is not in"):
        machine_of(needy, shop)
    with pytest.raises(InfraError, match="cannot install plate==1"):
        machine_of(replace(box, requires=("plate==1",)), LocalWorkshop(sandbox="process", cache_dir=cache))
    with pytest.raises(DataError, match="NAME==VERSION"):
        machine_of(replace(box, requires=("--index-url=x",)), LocalWorkshop(sandbox="process", cache_dir=cache))
    machine_of(needy, LocalWorkshop(sandbox="process", cache_dir=cache))
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    machine = machine_of(needy, shop)
    with machine.make_sandbox(Limits()) as sandbox:
        machine.fill(sandbox, box.tree)
        ask = "python -c 'import saucer, pytest, box; print(saucer.version)'"
        done = sandbox.exec(machine.shell(ask), env=dict(machine.variables))
    assert done.stdout == b"2.1\n"


def test_rows_say_what_their_project_needs(box: Project, index: Path, tmp_path: Path) -> None:
    """It comes back from the file, so that admission and the environment make the same machine."""
    shop, out = LocalWorkshop(sandbox="process", cache_dir=tmp_path / "cache"), tmp_path / "rows.jsonl"
    needy = replace(box, requires=("saucer==2.1",))
    make_rows(needy, out, count=1, seed=3, workshop=shop, wanted=Wanted(most_failing=0.9))
    (task,) = load_repair_rows(out)
    assert task.origin["requires"] == "saucer==2.1"
    assert shop.machine(task) is not shop.machine(replace(task, origin={"tree": task.origin["tree"]}))


def test_older_distributions_name_their_requirements_beside(tmp_path: Path) -> None:
    """Without ``Requires-Dist`` the list of setuptools is read, its extras left out."""
    file = tmp_path / "box-1.0.tar.gz"
    texts = {"PKG-INFO": "Name: box\n", "box.egg-info/requires.txt": "cup>=1\nsaucer\n\n[tests]\nplate\n"}
    with tarfile.open(file, "w:gz") as archive:
        for name, text in texts.items():
            member = tarfile.TarInfo(f"box-1.0/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    assert project._requirements(project._unpack(file)) == ("cup>=1", "saucer")
