"""Environments, and what they stand on: sandboxes, task sets and judges."""
