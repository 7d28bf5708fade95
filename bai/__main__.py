"""``python -m bai`` is the ``bai`` command."""

from __future__ import annotations

from bai.cli import main

if __name__ == "__main__":
    main()
