"""A diagnosis as text of at most 80 columns: a table of the layers, what the read-outs have left, and the advice."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Iterator

from snntoolbox.diagnosis import terms
from snntoolbox.diagnosis.findings import Advice, Diagnosis, LayerDiagnosis, Outcome

WIDTH = 80
_NAME = 20
_COLUMNS = {
    terms.CLIPPING: "clip",
    terms.QUANTISATION: "quant",
    terms.PROPAGATED: "propag",
    terms.SAMPLING: "input",
    terms.UNEVENNESS: "uneven",
}
_MEANINGS = {
    terms.PROPAGATED: "from the layers before",
    terms.SAMPLING: "from random input",
    terms.WINDOW: "from forgetting the first steps",
    terms.CORRECTION: "that the bias correction adds",
}


def diagnosis_text(diagnosis: Diagnosis) -> str:
    """The whole diagnosis."""
    parts = [layer_text(diagnosis), readout_text(diagnosis), confidence_text(diagnosis), advice_text(diagnosis.advice)]
    return "\n\n".join(part for part in parts if part)


def layer_text(diagnosis: Diagnosis) -> str:
    """One line per population, errors in percent of the RMS of its activation; the mean is signed."""
    shown = [t for t in _COLUMNS if t != terms.SAMPLING or any(t in layer.terms for layer in diagnosis.layers)]
    head = [f"{name:>7}" for name in ("error", "mean", *(_COLUMNS[t] for t in shown))]
    lines = [
        f"Errors of the rates in % of the activations' RMS ({diagnosis.samples} samples, {diagnosis.steps} steps)",
        f"{'layer':<{_NAME}}{''.join(head)} dead full",
        *(_row(layer, shown) for layer in diagnosis.layers),
    ]
    reasons: dict[str, list[str]] = {}
    for layer in diagnosis.layers:
        if layer.undefined:
            reasons.setdefault(layer.undefined, []).append(layer.name)
    notes = [f"Not split, as {reason}: {', '.join(_few(names))}." for reason, names in reasons.items()]
    return "\n".join([*lines, *(line for text in notes for line in _wrapped(text))])


def _row(layer: LayerDiagnosis, shown: Iterable[str]) -> str:
    sizes = [layer.total.rms, layer.total.mean, *(layer.terms[t].rms if t in layer.terms else math.nan for t in shown)]
    cells = "".join(f"{_percent(size):>7}" for size in sizes)
    return f"{_short(layer.name):<{_NAME}}{cells}{layer.dead:>5}{layer.full:>5}"


def readout_text(diagnosis: Diagnosis) -> str:
    """One sentence per read-out."""
    sentences = []
    for found in diagnosis.readouts:
        sizes = {_MEANINGS[n]: s.rms for n, s in found.terms.items() if n in _MEANINGS and s.rms > 5e-4}
        parts = [f"{_percent(sizes[m])} {m}" for m in sorted(sizes, key=sizes.__getitem__, reverse=True)]
        made = f" = {' + '.join(parts)}" if parts else ""
        sentences.append(f"Read-out {found.name}: {_percent(found.total.rms)}{made}.")
    return "\n".join(line for sentence in sentences for line in _wrapped(sentence))


def confidence_text(diagnosis: Diagnosis) -> str:
    """How sure the thresholds are, over all layers."""
    found = diagnosis.confidence.values()
    if not found:
        return ""
    samples = max(c.samples for c in found)
    name, worst = max(diagnosis.confidence.items(), key=lambda item: item[1].spread)
    moved = [n for n, c in diagnosis.confidence.items() if c.more_helps]
    more = f"more samples would move {', '.join(_few(moved))}" if moved else "more samples would hardly move them"
    text = (
        f"Thresholds from {samples} samples: standard error up to {_percent(worst.spread)} % ({name}), "
        f"{sum(c.unsure for c in found)} of {sum(c.channels for c in found)} channels unsure; {more}."
    )
    return "\n".join(_wrapped(text))


def advice_text(advice: Iterable[Advice]) -> str:
    """The advice that helped or could not be tried, ranked, and in one line what did not help."""
    listed = [a for a in advice if a.helps or a.after is None]
    useless = [a.setting for a in advice if a.after is not None and not a.helps]
    lines = ["Advice, the best first:"] if listed else []
    for number, item in enumerate(listed, 1):
        lines += list(_advice(number, item))
    if useless:
        lines += _wrapped(f"Tried, and no better: {'; '.join(useless)}.")
    return "\n".join(lines)


def _advice(number: int, item: Advice) -> Iterator[str]:
    cost = f" ({item.cost})" if item.cost else ""
    yield from _wrapped(f"{number}. {item.setting}{cost}")
    yield from _wrapped(f"   {item.reason}")
    if item.before is not None and item.after is not None:
        yield from _wrapped(f"   {_measured(item.before, item.after, item.samples)}")
    elif item.untried:
        yield from _wrapped(f"   not tried: {item.untried}")


def _measured(before: Outcome, after: Outcome, samples: int) -> str:
    error = f"error of the output {before.output_error:.1%} -> {after.output_error:.1%}"
    if before.steps != after.steps and before.steps and after.steps:
        error += f", steps {before.steps:.4g} -> {after.steps:.4g}"
    if before.agreement is None or after.agreement is None:
        return f"on {samples} calibration samples: {error}"
    return f"agreement on {samples} calibration samples {before.agreement:.1%} -> {after.agreement:.1%}, {error}"


def _percent(share: float) -> str:
    if math.isnan(share):
        return "-"
    return f"{100 * share:.1f}" if abs(share) < 9.995 else f"{100 * share:.0e}".replace("e+0", "e")


def _short(name: str) -> str:
    return name if len(name) < _NAME else f"{name[: _NAME // 2 - 2]}…{name[-(_NAME // 2) :]}"


def _few(items: list[str], most: int = 4) -> list[str]:
    return items if len(items) <= most else [*items[:most], f"and {len(items) - most} more"]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent="   ", break_on_hyphens=False)
