"""Task sets of the Berkeley Function Calling Leaderboard (BFCL; Patil et al., gorilla)."""

from bai.envs.tasks.bfcl.multi_turn import APIS, LEFT_OUT, load_bfcl_multi_turn
from bai.envs.tasks.bfcl.single import (
    NO_TOOL_FITS,
    gold_call,
    load_bfcl_irrelevance,
    load_bfcl_multiple,
    load_bfcl_parallel,
    load_bfcl_simple,
)

__all__ = [
    "APIS",
    "LEFT_OUT",
    "NO_TOOL_FITS",
    "gold_call",
    "load_bfcl_irrelevance",
    "load_bfcl_multi_turn",
    "load_bfcl_multiple",
    "load_bfcl_parallel",
    "load_bfcl_simple",
]
