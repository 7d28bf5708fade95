"""Simulated APIs with a state: the classes that BFCL's multi-turn tasks talk to, written from their function docs."""
