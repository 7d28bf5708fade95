"""Evaluation: suites, metrics and reports."""
