"""Group-relative policy optimisation through RLlib.

    from bai.agents.grpo import GRPO, GRPOConfig

Names are loaded when they are first used, so importing a part that needs no Ray stays light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bai.agents.grpo.algorithm import GRPO
    from bai.agents.grpo.config import GRPOConfig

__all__ = ["GRPO", "GRPOConfig"]


def __getattr__(name: str) -> Any:
    if name == "GRPO":
        from bai.agents.grpo.algorithm import GRPO

        return GRPO
    if name == "GRPOConfig":
        from bai.agents.grpo.config import GRPOConfig

        return GRPOConfig
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
