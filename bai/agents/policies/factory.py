"""Policies from strings, so that a specification or a command line can name one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bai.errors import ConfigError
from bai.policy import Policy

__all__ = ["make_policy"]

_FORMS = "checkpoint:DIR, hf:DIR, openai:URL#MODEL or oracle"


def make_policy(spec: str, **options: Any) -> Policy:
    """Makes a policy.

    Args:
        spec: ``checkpoint:DIR`` (a model directory, or that of a run or of its checkpoint, whose ``policy``
            folder is taken),
            ``hf:DIR`` (any causal language model directory), ``openai:URL#MODEL`` (an endpoint that
            speaks the OpenAI chat protocol), or ``oracle``.
        options: Passed on to the policy's constructor.

    Raises:
        ConfigError: The string has another form.
        CheckpointError: The directory cannot be loaded.
    """
    kind, _, rest = spec.partition(":")
    if spec == "oracle":
        from bai.agents.policies.oracle import OraclePolicy

        return OraclePolicy(**options)
    if kind in ("checkpoint", "hf") and rest:
        from bai.agents.policies.local import LocalPolicy

        inner = Path(rest) / "policy"
        folder = inner if kind == "checkpoint" and inner.is_dir() else Path(rest)
        return LocalPolicy.from_directory(folder, name=spec, **options)
    if kind == "openai" and rest:
        from bai.agents.policies.endpoint import EndpointPolicy

        url, _, model = rest.partition("#")
        return EndpointPolicy(url, model, name=spec, **options)
    raise ConfigError(f"a policy is named {_FORMS}; got {spec!r}")
