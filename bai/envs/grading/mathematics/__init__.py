"""Judging answers as mathematics: what an agent said, read, and held against the gold answer."""
