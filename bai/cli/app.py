"""The commands by name, and what becomes of errors.

Nothing heavy is imported here: each command imports what it needs when it runs, so
``bai --help`` answers at once.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

import bai
from bai.cli.doctor import doctor
from bai.cli.evaluation import evaluation
from bai.cli.output import errors
from bai.cli.sandboxes import sandboxes
from bai.cli.tasks import tasks
from bai.cli.training import bench, demo, train
from bai.cli.viewing import view
from bai.errors import BaiError, CheckpointError, ConfigError, ContextOverflow, DataError, MissingDependency

__all__ = ["app", "main"]

BAD_INPUT = (ConfigError, DataError, MissingDependency, CheckpointError, ContextOverflow)
"""Errors that another command line would avoid: exit code 2. Every other error of bai: 1."""

QUIET = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""Variables that libraries read at import; one that is set already is left alone."""

app = typer.Typer(
    name="bai",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("train")(train)
app.command("eval")(evaluation)
app.command("view")(view)
app.command("demo")(demo)
app.command("doctor")(doctor)
app.command("bench", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(bench)
app.add_typer(tasks, name="tasks")
app.add_typer(sandboxes, name="sandbox")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(bai.__version__)
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Trains and evaluates coding agents as Gymnasium environments."""


def main() -> None:
    """Runs the command line; errors of bai are one sentence, not a traceback.

    Exit codes: 0 done, 1 failed, 2 bad input, 130 interrupted.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        app()
    except BaiError as error:
        errors.print(f"error: {error}", style="red", markup=False)
        sys.exit(2 if isinstance(error, BAD_INPUT) else 1)
    except OSError as error:
        if error.filename is None:
            raise
        errors.print(f"error: {error.filename}: {error.strerror}", style="red", markup=False)
        sys.exit(2)
    except KeyboardInterrupt:
        errors.print("interrupted", markup=False)
        sys.exit(130)
