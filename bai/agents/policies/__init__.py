"""Who acts: a model in this process, an endpoint, or the oracle."""

from bai.agents.policies.factory import make_policy

__all__ = ["make_policy"]
