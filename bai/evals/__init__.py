"""Evaluation: draw samples, estimate with intervals, report.

result = evaluate(EvalConfig(policy="checkpoint:runs/first/policy", samples=4, limit=256,
                             env_options={"task_set": "micro", "split": "heldout"}), out=Path("runs/eval"))
print(result.summary.pass_at[1].percent(), publish(result, Path("runs/eval")))
"""

from __future__ import annotations

from bai.evals.metrics import Estimate, bootstrap_mean, paired_difference, pass_at_k
from bai.evals.run import EvalConfig, Evaluation, evaluate, publish
from bai.evals.summary import Summary, compare, summarise

__all__ = [
    "Estimate",
    "EvalConfig",
    "Evaluation",
    "Summary",
    "bootstrap_mean",
    "compare",
    "evaluate",
    "paired_difference",
    "pass_at_k",
    "publish",
    "summarise",
]
