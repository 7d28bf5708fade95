"""``bai eval``: samples, figures, and a report."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bai.cli.output import (
    Difficulty,
    EnvironmentArguments,
    assignments,
    difficulties,
    env_id,
    env_options,
    errors,
    out,
    print_json,
    progress,
)

if TYPE_CHECKING:
    from bai.evals.run import EvalConfig, Evaluation

__all__ = ["evaluation"]

ENDLESS_LIMIT = 256
"""Tasks of a generator, which has no end, that are evaluated where no number is given."""
FEW = 20
"""Tasks without a passing sample are named as long as they are no more than this, and a quarter of all."""

MOST_REASONS = 3
"""Reasons for losses that are told."""


def evaluation(
    policy: Annotated[
        str,
        typer.Option(
            "--policy",
            "--agent",
            help="checkpoint:DIR, hf:DIR, openai:URL#MODEL, oracle, empty, repair or repair:POLICY.",
        ),
    ],
    policy_option: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE for the policy, such as device=cuda; may be repeated.")
    ] = None,
    task_set: Annotated[
        str | None,
        typer.Option(
            help="A name (see `bai tasks list`) or a file of rows; if left out, micro, or another --env's default."
        ),
    ] = None,
    env: Annotated[str | None, typer.Option(help="Gymnasium id; the one the task set is for if left out.")] = None,
    split: Annotated[str | None, typer.Option(help="Split of the task set; `heldout` of generated ones.")] = None,
    difficulty: Difficulty = None,
    option: EnvironmentArguments = None,
    samples: Annotated[int, typer.Option("--samples", "-n", help="Samples of each task.")] = 1,
    limit: Annotated[int | None, typer.Option(help="Only the first so many tasks (generated sets: 256).")] = None,
    temperature: Annotated[float, typer.Option(help="Divides the logits; 0 is greedy.")] = 1.0,
    top_p: Annotated[float, typer.Option(help="Nucleus; 1 keeps all tokens.")] = 1.0,
    max_new_tokens: Annotated[int, typer.Option(help="Most tokens of an answer.")] = 512,
    stop: Annotated[list[str] | None, typer.Option(help="Ends an answer; may be repeated.")] = None,
    seed: Annotated[int, typer.Option(help="Seeds every sample.")] = 0,
    folder: Annotated[
        Path | None, typer.Option("--out", help="Folder of the results; samples found there are kept.")
    ] = None,
    batch: Annotated[int, typer.Option(help="Samples drawn together.")] = 64,
    threads: Annotated[int, typer.Option(help="Environments stepped at a time, in each process.")] = 8,
    workers: Annotated[int, typer.Option(help="Processes to spread over; 0 uses this one.")] = 0,
    ray: Annotated[bool, typer.Option("--ray", help="Make the workers actors of Ray.")] = False,
    ray_address: Annotated[
        str | None, typer.Option(help="A running Ray cluster: auto or HOST:PORT; one is started here if left out.")
    ] = None,
    worker_cpus: Annotated[int, typer.Option(help="Cores of each of Ray's actors.")] = 1,
    worker_gpus: Annotated[float, typer.Option(help="GPUs of each of Ray's actors.")] = 0,
    keep_tokens: Annotated[bool, typer.Option(help="Keep token ids and log-probabilities.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Evaluates a policy on a task set; run again to go on where it stopped.

    Writes trajectories.jsonl, summary.json and report.html, and of repairs predictions.jsonl with the reports of
    SWE-bench's harness. Samples lost to faults of the machinery are left out of the score, counted and printed; above
    2 % of them the exit code is 1.
    """
    from bai.envs.tasks.family import ENDLESS
    from bai.evals.run import EvalConfig, evaluate
    from bai.policy import Sampling

    levels = difficulties(difficulty or ())
    # One number stays a number: folders of earlier evaluations are named by it.
    chosen = levels[0] if len(levels) == 1 else levels or None
    chosen_env = env_id(env, task_set)
    options = env_options(chosen_env, option or [], task_set=task_set, split=split, difficulty=chosen)
    if options.get("task_set") in ENDLESS:
        options.setdefault("split", "heldout")
        limit = ENDLESS_LIMIT if limit is None else limit
    sampling = Sampling(temperature=temperature, top_p=top_p, max_new_tokens=max_new_tokens, stop=tuple(stop or ()))
    config = EvalConfig(
        policy=policy,
        policy_options=assignments(policy_option or []),
        env=chosen_env,
        env_options=options,
        samples=samples,
        limit=limit,
        sampling=sampling,
        seed=seed,
        batch=batch,
        threads=threads,
        workers=workers,
        spread="ray" if ray or ray_address else "processes",
        worker_cpus=worker_cpus,
        worker_gpus=worker_gpus,
        ray_address=ray_address,
        keep_tokens=keep_tokens,
    )
    target = folder or _default_folder(config)
    with progress("evaluating") as listen:
        result = evaluate(config, out=target, on_progress=listen)
    _tell(result, target, as_json=as_json)


def _tell(result: Evaluation, target: Path, *, as_json: bool) -> None:
    """Publishes the result and prints its figures; the exit code is 1 where they are not to be relied on."""
    from bai.evals.run import publish

    report = publish(result, target)
    if as_json:
        print_json(_figures(result, target, report))
    else:
        _print(result, report)
    _tell_lost(result)
    if not result.summary.is_trustworthy:
        errors.print(
            f"{result.summary.lost} of {result.summary.lost + result.summary.samples} samples were lost to faults of "
            "the machinery: do not rely on these figures; run the same command again to retry them",
            style="red",
            markup=False,
        )
        raise typer.Exit(1)


def _default_folder(config: EvalConfig) -> Path:
    """The same command line gives the same folder, so that running it again goes on."""
    identity = json.dumps(config.identity(), sort_keys=True)
    digest = hashlib.blake2b(identity.encode(), digest_size=4).hexdigest()
    name = f"{config.env_options.get('task_set', config.env)}-{config.policy}"
    return Path("runs") / "eval" / f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', name).strip('-.')[:60]}-{digest}"


def _figures(result: Evaluation, target: Path, report: Path) -> dict[str, Any]:
    return {
        **result.config.identity(),
        **result.summary.to_json(),
        "trustworthy": result.summary.is_trustworthy,
        "trajectories": str(target / "trajectories.jsonl"),
        "report": str(report),
        **({"predictions": str(found)} if (found := target / "predictions.jsonl").exists() else {}),
    }


def _tell_lost(result: Evaluation) -> None:
    """Says why samples were lost, the most frequent reasons first."""
    from bai.evals.report.text import visible
    from bai.evals.summary import status_of

    lost = [row for row in result.trajectories if status_of(row) == "infra_error"]
    reasons = Counter((row.verdict.detail if row.verdict else "") or row.error or "no reason given" for row in lost)
    for reason, count in reasons.most_common(MOST_REASONS):
        errors.print(f"lost: {count} x {visible(reason, 300)}", markup=False)


def _print(result: Evaluation, report: Path) -> None:
    from bai.evals.report import print_summary
    from bai.evals.report.text import visible
    from bai.evals.summary import status_of, tally

    print_summary([result.summary], out)
    unsolved = [one for one in tally(result.trajectories).values() if one.samples and not one.passed]
    if len(unsolved) <= min(FEW, result.summary.tasks // 4):
        last = {row.task_id: row for row in result.trajectories}
        for one in unsolved:
            verdict = last[one.task_id].verdict
            detail = visible(verdict.detail, 200) if verdict else ""
            out.print(f"not passed: {one.task_id}: {status_of(last[one.task_id])}: {detail}", markup=False)
    out.print(f"report: {report}", markup=False)
    if (predictions := report.with_name("predictions.jsonl")).exists():
        out.print(f"SWE-bench predictions: {predictions}", markup=False)
