"""Policies from strings, so that a specification or a command line can name one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bai.errors import CheckpointError, ConfigError
from bai.policy import Policy

__all__ = ["expect_model", "make_policy", "model_folder"]

_FORMS = "checkpoint:DIR, hf:DIR, openai:URL#MODEL, oracle, empty, repair or repair:POLICY"


def make_policy(spec: str, **options: Any) -> Policy:
    """Makes a policy.

    Args:
        spec: ``checkpoint:DIR`` (a model directory, or that of a run or of its checkpoint, whose ``policy``
            folder is taken),
            ``hf:DIR`` (any causal language model directory), ``openai:URL#MODEL`` (an endpoint that
            speaks the OpenAI chat protocol), ``oracle``, ``empty``, which says nothing, ``repair``
            (localisation and templates, no model; for bai/SWEBench-v0), or ``repair:POLICY`` (the same, with
            patches of another policy too).
        options: Passed on to the policy's constructor. Of ``repair`` they are fields of
            :class:`~bai.agents.repair.pipeline.RepairConfig`, and with ``repair:POLICY`` the others are POLICY's.

    Raises:
        ConfigError: The string has another form.
        CheckpointError: The directory cannot be loaded.
    """
    kind, _, rest = spec.partition(":")
    if spec == "oracle":
        from bai.agents.policies.oracle import OraclePolicy

        return OraclePolicy(**options)
    if kind == "repair" and (rest or spec == "repair"):
        return _repair(spec, rest, options)
    if spec == "empty":
        from bai.agents.policies.empty import EmptyPolicy

        return EmptyPolicy(**options)
    if kind in ("checkpoint", "hf") and rest:
        folder = expect_model(_folder(kind, rest))  # before what takes seconds to import

        from bai.agents.policies.local import LocalPolicy

        return LocalPolicy.from_directory(folder, name=spec, **options)
    if kind == "openai" and rest:
        from bai.agents.policies.endpoint import EndpointPolicy

        url, _, model = rest.partition("#")
        return EndpointPolicy(url, model, name=spec, **options)
    raise ConfigError(f"a policy is named {_FORMS}; got {spec!r}")


def _repair(spec: str, inner: str, options: Mapping[str, Any]) -> Policy:
    from bai.agents.repair.agent import RepairAgent
    from bai.agents.repair.pipeline import RepairConfig

    fields = {field.name for field in dataclasses.fields(RepairConfig)}
    others = {name: value for name, value in options.items() if inner and name not in fields}
    config = RepairConfig(**{name: value for name, value in options.items() if name not in others})
    return RepairAgent(config, make_policy(inner, **others) if inner else None, name=spec)


def expect_model(folder: Path) -> Path:
    """Passes a directory that may hold a model.

    Raises:
        CheckpointError: It is not there, or has no ``config.json``.
    """
    if not (folder / "config.json").is_file():
        found = "has none" if folder.is_dir() else "is no directory"
        raise CheckpointError(f"expected a model directory with a config.json; {folder} {found}")
    return folder


def model_folder(spec: str) -> Path | None:
    """Gives the directory of the model that a policy's name means, or None where it means none on this disk.

    Args:
        spec: As :func:`make_policy` takes it; of a run or of its checkpoints the folder ``policy`` is meant.
    """
    kind, _, rest = spec.partition(":")
    if kind not in ("checkpoint", "hf") or not rest:
        return None
    folder = _folder(kind, rest)
    return folder if (folder / "config.json").is_file() else None


def _folder(kind: str, path: str) -> Path:
    inner = Path(path) / "policy"
    return inner if kind == "checkpoint" and inner.is_dir() else Path(path)
