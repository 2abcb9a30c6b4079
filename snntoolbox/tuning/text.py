"""A search as text of at most 80 columns: the Pareto front, the best, and what was left out or untried."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from snntoolbox.tuning.findings import Trial, Tuning

WIDTH = 80
_MOST = 24
"""Rows of the table; of a longer front the ends and an even choice between."""


def tuning_text(tuning: Tuning) -> str:
    """The whole result."""
    parts = ["\n".join(_table(tuning)), "\n".join(_best(tuning)), "\n".join(_effort(tuning))]
    return "\n\n".join(parts)


def _table(tuning: Tuning) -> Iterator[str]:
    best, start = tuning.best, tuning.start
    yield from _wrapped(f"What nothing beats on {best.samples} calibration samples held back")
    score = "error" if best.measured.outcome.agreement is None else "agree"
    yield f"  {score:>7}{'steps':>8}{'operations':>13}  setting"
    front = list(tuning.front)
    shown = front if len(front) <= _MOST else [front[i * (len(front) - 1) // (_MOST - 1)] for i in range(_MOST)]
    if best not in shown:
        shown = sorted([*shown, best], key=lambda t: (t.steps, t.loss))
    for trial in shown:
        yield from _row(trial, "*" if trial is best else " ")
    if len(shown) < len(front):
        yield f"  ... {len(front) - len(shown)} more are in tune.json"
    if start is not None and start not in shown:
        yield "As it was:"
        yield from _row(start, " ")


def _row(trial: Trial, mark: str) -> Iterator[str]:
    outcome = trial.measured.outcome
    share = outcome.output_error if outcome.agreement is None else outcome.agreement
    numbers = f"{mark} {share:>7.1%}{trial.steps:>8.4g}{trial.measured.operations:>13,.0f}  "
    setting = textwrap.wrap(str(trial.candidate), WIDTH - len(numbers), break_on_hyphens=False)
    for i, line in enumerate(setting):
        yield (" " * len(numbers) if i else numbers) + line


def _best(tuning: Tuning) -> Iterator[str]:
    wanted = []
    if tuning.target.agreement is not None:
        wanted.append(f"an agreement of {tuning.target.agreement:.1%}")
    if tuning.target.operations is not None:
        wanted.append(f"at most {tuning.target.operations:,.0f} operations")
    if wanted and not tuning.reached:
        yield from _wrapped(f"NOT REACHED: {' with '.join(wanted)}. The nearest to it:")
    else:
        yield from _wrapped(f"The best{' for ' + ' with '.join(wanted) if wanted else ''} (*):")
    yield f"  [simulation] duration = {tuning.duration:g}"
    for key, value in tuning.keys.items():
        section, _, name = key.partition(".")
        yield f"  [{section}] {name} = {value}"


def _effort(tuning: Tuning) -> Iterator[str]:
    one = 1 / tuning.best.samples
    yield from _wrapped(
        f"{tuning.seconds:.0f} s of {tuning.budget:g} s: {tuning.screened} of {tuning.candidates} settings tried on "
        f"{tuning.few} samples, {len(tuning.trials)} shown on {tuning.best.samples}; {tuning.fitted} others chose "
        f"thresholds. One sample is {one:.1%}. The test set was not read."
    )
    if tuning.untried:
        counts = ", ".join(f"{n} at {steps} steps" for steps, n in tuning.untried.items())
        yield from _wrapped(f"Left untried, as they should take longer than what is left: {counts}.")
    if tuning.never:
        yield from _wrapped(f"Never tried: {', '.join(tuning.never)}.")
    for value, reason in tuning.left_out.items():
        yield from _wrapped(f"Left out: {value}: {reason}.")
    if tuning.failed:
        reasons = "; ".join(dict.fromkeys(tuning.failed.values()))
        yield from _wrapped(f"{len(tuning.failed)} could not be converted: {reasons}.")


def in_words(seconds: float) -> str:
    """About so much time."""
    for unit, length in (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * length:
            return f"about {seconds / length:.0f} {unit}"
    return f"about {seconds:.2g} seconds"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent="   ", break_on_hyphens=False)
