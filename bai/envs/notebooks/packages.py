"""The machine that notebooks run on: bai's own interpreter with IPython, pandas, matplotlib and what they need.

Each package is copied, alone, from where bai itself finds it, without its tests; what else is installed there stays out
of sight. Sandboxes show the copy read-only, and Docker has it as a layer over the project's image.
"""

from __future__ import annotations

import compileall
import functools
import hashlib
import os
import platform
import shutil
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

from bai.envs.machines.base import Machine
from bai.envs.machines.cache import cache_folder, make_once
from bai.envs.machines.environment import Environment, finish, site_packages
from bai.envs.machines.image import LayerMachine
from bai.envs.machines.light import begin
from bai.envs.machines.local import LocalMachine
from bai.envs.sandbox import DockerSandbox, layout, resolve_sandbox
from bai.errors import ConfigError, MissingDependency

__all__ = ["notebook_machine", "site_inside"]

GENERATION = 1
"""Counts the ways in which it was made; part of its key."""
_ALWAYS = ("ipython", "matplotlib", "pandas")
"""Distributions that every notebook can import, with all that they need."""
_WHERE_INSTALLED = ("jinja2", "scikit-learn", "scipy", "seaborn", "statsmodels")
"""Distributions that notebooks can import where they are installed beside bai, unless others are named."""
_EXTRA = "pip install 'bai-rl[notebook]'"
_WITHOUT_TESTS = ("pandas", "matplotlib", "scipy", "sklearn", "numpy", "contourpy")
"""Packages whose tests, most of what they weigh, nobody imports."""


@functools.lru_cache(maxsize=16)
def notebook_machine(sandbox: str, packages: tuple[str, ...] | None, cache_dir: str | None) -> Machine:
    """Gives the machine, making its environment where it is absent; that takes some seconds.

    Args:
        sandbox: Backend, or ``auto``.
        packages: Distributions beside IPython, Matplotlib and pandas; None for those of Jinja2, scikit-learn, SciPy,
            seaborn and statsmodels that are installed.
        cache_dir: The folder that machines are kept in; None for the user's.

    Raises:
        MissingDependency: A distribution is not installed here.
        SandboxUnavailable: The backend cannot work here.
    """
    backend = resolve_sandbox(sandbox)
    environment = _notebook_environment(cache_folder(cache_dir), packages)
    if backend == DockerSandbox.name:
        return LayerMachine(environment, options={})
    return LocalMachine(environment, backend)


def site_inside(machine: Machine) -> str:
    """Gives the path of the packages inside the machine's sandboxes."""
    minor = platform.python_version().rpartition(".")[0]
    return f"{machine.variables['VIRTUAL_ENV']}/lib/python{minor}/site-packages"


def _notebook_environment(cache: Path, packages: tuple[str, ...] | None = None) -> Environment:
    """Gives the environment; arguments and errors as those of :func:`notebook_machine`."""
    chosen = tuple(filter(_is_installed, _WHERE_INSTALLED)) if packages is None else packages
    names = sorted(_closure((*_ALWAYS, *chosen)))
    versions = tuple(f"{name}=={metadata.version(name)}" for name in names)
    python = platform.python_version()
    parts = (GENERATION, versions, python, layout.interpreter())
    key = f"notebook-py{python.rpartition('.')[0]}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:12]}"

    def make(draft: Path) -> None:
        begin(draft, python)
        site = site_packages(draft, python)
        for name in names:
            _copy(metadata.distribution(name), site)
        # What came compiled is left alone: its times are the copies' too.
        compileall.compile_dir(site, quiet=1)
        finish(draft, python, ())
        Environment(
            key=key,
            folder=str(draft),
            python=python,
            prefix=os.path.realpath(sys.base_prefix),
            program=layout.interpreter(),
            wanted=python.rpartition(".")[0],
            packages=versions,
        ).save(draft)

    return Environment.read(make_once(cache / "environments" / key, make))


def _is_installed(name: str) -> bool:
    try:
        return bool(metadata.version(name))
    except metadata.PackageNotFoundError:
        return False


def _closure(names: Iterable[str]) -> set[str]:
    """Names of distributions and of all that they need here, without extras.

    Raises:
        MissingDependency: One of them is not installed.
        ConfigError: A name is none.
    """
    found: set[str] = set()
    wanted = list(names)
    while wanted:
        name = wanted.pop()
        if not isinstance(name, str) or not name:
            raise ConfigError(f"packages are names of distributions; got {name!r:.100}")
        if name in found:
            continue
        if not _is_installed(name):
            raise MissingDependency(name, _EXTRA if name in _ALWAYS else f"pip install {name}", "a notebook's sandbox")
        found.add(name)
        wanted += _needed_by(name)
    return found


def _needed_by(name: str) -> Iterator[str]:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    for text in metadata.requires(name) or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield canonicalize_name(requirement.name)


def _copy(distribution: metadata.Distribution, site: Path) -> None:
    """Copies what a distribution put beside its metadata: packages, modules and the libraries that they bring."""
    tops = {file.parts[0] for file in distribution.files or () if not file.is_absolute()}
    for top in sorted(tops - {"..", "bin", "__pycache__"}):
        source = Path(str(distribution.locate_file(top)))
        if source.is_dir():
            shutil.copytree(source, site / top, ignore=_tests if top in _WITHOUT_TESTS else None, dirs_exist_ok=True)
        elif source.is_file() and source.suffix in (".py", ".so"):
            shutil.copy2(source, site / top)


def _tests(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name == "tests" and Path(folder).name != "_core"]
