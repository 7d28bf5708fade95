"""A shop's API: users, products and orders, after the retail domain of tau2-bench."""

from bai.envs.tools.retail.source import RetailSource

__all__ = ["RetailSource"]
