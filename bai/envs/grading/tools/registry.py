"""Names of tool judges."""

from __future__ import annotations

import functools
from importlib import import_module

from bai.envs.grading.tools.base import Judge
from bai.errors import ConfigError

__all__ = ["JUDGES", "find_judge"]

JUDGES: dict[str, str] = {
    "end_state": "bai.envs.grading.tools.end_state:EndStateJudge",
    "result_set": "bai.envs.grading.tools.result_set:ResultSetJudge",
    "retail": "bai.envs.grading.tools.retail:RetailJudge",
    "wanted_calls": "bai.envs.grading.tools.wanted_calls:WantedCallsJudge",
    "calls": "bai.envs.grading.tools.calls:CallsJudge",
    "bfcl_calls": "bai.envs.grading.tools.bfcl:BFCLCallsJudge",
    "bfcl_turns": "bai.envs.grading.tools.bfcl:BFCLTurnsJudge",
}
"""Name to module and class; imported when a task wants one."""


@functools.cache
def find_judge(name: str) -> Judge:
    """Gives the judge of this name.

    Raises:
        ConfigError: There is none.
    """
    if name not in JUDGES:
        raise ConfigError(f"there is no judge of tools {name!r}; there are {', '.join(sorted(JUDGES))}")
    module, _, attribute = JUDGES[name].partition(":")
    judge: Judge = getattr(import_module(module), attribute)()
    return judge
