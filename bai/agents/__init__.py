"""Policies, rollouts and learners; the only folder that imports RLlib."""
