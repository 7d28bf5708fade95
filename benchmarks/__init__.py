"""Measurements against goals and peers: ``python -m benchmarks [NAME ...] [--json FILE]``.

Each module here that is not private is a benchmark: its docstring says what it measures and
its ``run()`` gives :class:`~benchmarks._measure.Figure` s by name, or a grid of comparisons
(:func:`~benchmarks._measure.figures_of`). What is compared is measured in one run, in turns,
and told as medians and ratios: seconds differ from machine to machine and from hour to hour,
ratios much less.
"""
