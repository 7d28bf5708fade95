"""Judges of episodes with tools."""
