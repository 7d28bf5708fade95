"""The machine of small repositories in pure Python: bai's own interpreter with pytest, and no network to get them.

pytest and the few packages that it needs are copied, each alone, from where bai itself finds them. Whatever else is
installed there stays out of sight.
"""

from __future__ import annotations

import compileall
import hashlib
import importlib.util
import os
import platform
import shutil
import sys
from importlib import metadata
from pathlib import Path

from bai.envs.machines.cache import make_once
from bai.envs.machines.environment import Environment, configuration, finish, site_packages
from bai.envs.sandbox import layout
from bai.errors import MissingDependency

__all__ = ["DISTRIBUTIONS", "light_environment"]

GENERATION = 2
"""Counts the ways in which it was made; part of its key."""
DISTRIBUTIONS = ("pytest", "pluggy", "iniconfig", "packaging", "pygments")
"""What is copied: pure Python, all of it."""
_MODULES = {"pytest": ("pytest", "_pytest", "py")}
"""Where names to import are others than the distribution's own."""
_PYTEST = "#!/usr/bin/env python\nimport sys\nimport pytest\nsys.exit(pytest.main())\n"
"""The program ``pytest``."""


def light_environment(cache: Path) -> Environment:
    """Gives the environment, making it where it is absent; that takes about a second.

    Args:
        cache: The folder that machines are kept in.

    Raises:
        MissingDependency: pytest, or one of what it needs, is not installed here.
    """
    versions = {name: _version(name) for name in DISTRIBUTIONS}
    python = platform.python_version()
    parts = (GENERATION, versions, python, layout.interpreter())
    key = f"light-py{python.rpartition('.')[0]}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:12]}"
    packages = tuple(f"{name}=={version}" for name, version in versions.items())

    def make(draft: Path) -> None:
        _make(draft, python, key, packages)

    return Environment.read(make_once(cache / "environments" / key, make))


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError as error:
        raise MissingDependency(name, "pip install pytest", "running the tests of a library") from error


def _make(draft: Path, python: str, key: str, packages: tuple[str, ...]) -> None:
    site = site_packages(draft, python)
    (draft / "bin").mkdir(parents=True)
    site.mkdir(parents=True)
    program = layout.interpreter()
    for name in ("python", "python3", Path(site.parent).name):
        (draft / "bin" / name).symlink_to(program)
    (draft / "pyvenv.cfg").write_text(configuration(program, python), encoding="utf-8")
    (draft / "bin" / "pytest").write_text(_PYTEST, encoding="utf-8")
    (draft / "bin" / "pytest").chmod(0o755)
    for name in DISTRIBUTIONS:
        _copy(name, site)
    compileall.compile_dir(site, quiet=1)
    finish(draft, python, (".",))
    Environment(
        key=key,
        folder=str(draft),
        python=python,
        prefix=os.path.realpath(sys.base_prefix),
        program=program,
        wanted=python.rpartition(".")[0],
        imports=(".",),
        packages=packages,
    ).save(draft)


def _copy(name: str, site: Path) -> None:
    """Copies a distribution's modules. Of its metadata only the version: by the rest its plugins would be found."""
    version = metadata.version(name)
    facts = site / f"{name}-{version}.dist-info" / "METADATA"
    facts.parent.mkdir()
    facts.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
    for module in _MODULES.get(name, (name,)):
        spec = importlib.util.find_spec(module)
        assert spec is not None and spec.origin is not None, module
        origin = Path(spec.origin)
        if spec.submodule_search_locations:
            shutil.copytree(origin.parent, site / module, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(origin, site / origin.name)
