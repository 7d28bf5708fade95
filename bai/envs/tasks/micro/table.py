"""The row form in which the catalogue is written."""

from __future__ import annotations

from bai.envs.tasks.micro.operation import Constant

__all__ = ["Row"]

Row = (
    tuple[str, str, str, str, str, str]
    | tuple[str, str, str, str, str, str, tuple[Constant, ...]]
    | tuple[str, str, str, str, str, str, tuple[Constant, ...], bool]
)
"""(name, takes, gives, code, phrases divided by ``|``, family[, constants[, opening]])"""
