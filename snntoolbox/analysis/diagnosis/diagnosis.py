"""A diagnosis as data: the terms of every layer's error, its dead and saturated channels."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from snntoolbox.analysis.diagnosis import terms
from snntoolbox.analysis.diagnosis.terms import LOCAL
from snntoolbox.ir.foreign import shortened
from snntoolbox.ir.summary import text_table

WIDTH = 80
_NAME = 18
"""Letters of a layer's name that fit beside its numbers."""
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
    header = ("layer", "error", "mean", *(_COLUMNS[t] for t in shown), "dead", "full")
    rows = [_row(layer, shown) for layer in diagnosis.layers]
    resolved = f"{diagnosis.steps} {'levels' if diagnosis.windowed else 'steps'}"
    lines = [
        f"Errors of the rates in % of the activations' RMS ({diagnosis.samples} samples, {resolved})",
        text_table(header, rows, set(range(1, len(header))), WIDTH, total=False),
    ]
    reasons: dict[str, list[str]] = {}
    for layer in diagnosis.layers:
        if layer.undefined:
            reasons.setdefault(layer.undefined, []).append(layer.name)
    notes = [f"Not split, as {reason}: {', '.join(_few(names))}." for reason, names in reasons.items()]
    return "\n".join([*lines, *(line for text in notes for line in _wrapped(text))])


def _row(layer: LayerDiagnosis, shown: Iterable[str]) -> tuple[str, ...]:
    sizes = [layer.total.rms, layer.total.mean, *(layer.terms[t].rms if t in layer.terms else math.nan for t in shown)]
    return shortened(layer.name, _NAME), *map(_percent, sizes), str(layer.dead), str(layer.full)


def readout_text(diagnosis: Diagnosis) -> str:
    """One sentence per read-out."""
    sentences = []
    for readout in diagnosis.readouts:
        sizes = {_MEANINGS[n]: s.rms for n, s in readout.terms.items() if n in _MEANINGS and s.rms > 5e-4}
        parts = [f"{_percent(sizes[m])} {m}" for m in sorted(sizes, key=sizes.__getitem__, reverse=True)]
        sum_of = f" = {' + '.join(parts)}" if parts else ""
        sentences.append(f"Read-out {readout.name}: {_percent(readout.total.rms)}{sum_of}.")
    return "\n".join(line for sentence in sentences for line in _wrapped(sentence))


def confidence_text(diagnosis: Diagnosis) -> str:
    """How sure the thresholds are, over all layers."""
    layers = diagnosis.confidence.values()
    if not layers:
        return ""
    samples = max(c.samples for c in layers)
    name, worst = max(diagnosis.confidence.items(), key=lambda item: item[1].spread)
    moved = [n for n, c in diagnosis.confidence.items() if c.more_helps]
    more = f"more samples would move {', '.join(_few(moved))}" if moved else "more samples would hardly move them"
    text = (
        f"Thresholds from {samples} samples: standard error up to {_percent(worst.spread)} % ({name}), "
        f"{sum(c.unsure for c in layers)} of {sum(c.channels for c in layers)} channels unsure; {more}."
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


def _few(items: list[str], most: int = 4) -> list[str]:
    return items if len(items) <= most else [*items[:most], f"and {len(items) - most} more"]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent="   ", break_on_hyphens=False)


@dataclass(frozen=True)
class Size:
    """A term over all neurons and samples: root mean square and mean, both as shares of the activation's RMS."""

    rms: float
    mean: float


@dataclass(frozen=True, kw_only=True)
class LayerDiagnosis:
    """The error of a population or a read-out.

    unit: the RMS of the activation in the user's units; errors are shares of it (of the scale, where the activation
    is zero throughout). total: the whole error. terms: what it is made of, by name; empty where the split is not
    defined, and `undefined` says why. clipped: share of the positive activations above the scale times the fastest
    rate. saturated: share of neurons and samples that fire at every step, or as often as a refractory period lets
    them. Channels (axis 0 of the shape) are counted: `dead` ones never fire although their activation is positive
    somewhere, `silent` ones are zero in the analogue network as well and do not fire, `full` ones are saturated in
    more than 5 % of the cases where their activation is positive.
    """

    name: str
    label: str
    kind: str = "population"
    unit: float
    total: Size
    terms: Mapping[str, Size] = field(default_factory=dict)
    undefined: str = ""
    clipped: float = 0.0
    saturated: float = 0.0
    channels: int = 0
    dead: int = 0
    silent: int = 0
    full: int = 0

    def rms(self, term: str) -> float:
        """The relative root mean square of a term; 0 where it has none."""
        return self.terms[term].rms if term in self.terms else 0.0


@dataclass(frozen=True, kw_only=True)
class Confidence:
    """How sure a layer's scales are, given `samples` calibration samples.

    spread: relative standard error of the scales, root mean square over the channels, from two halves of the data.
    drift: mean relative change of the scales from half of the data to all of it; doubling them moves about as much.
    unsure: channels whose halves differ by more than 20 %.
    """

    samples: int
    spread: float
    drift: float
    unsure: int
    channels: int

    @property
    def more_helps(self) -> bool:
        """Whether more samples would move the scales noticeably: by 2 % throughout, or by a spread of 5 %."""
        return abs(self.drift) > 0.02 or self.spread > 0.05


@dataclass(frozen=True)
class Outcome:
    """What a trial gave: the share of equal predictions (None without classes), and the relative error of the output.

    The error is the root mean square difference to the original output, as a share of that output's RMS. `steps` is
    the mean number of steps from a sample to its answer.
    """

    agreement: float | None
    output_error: float
    steps: float | None = None


@dataclass(frozen=True, kw_only=True)
class Advice:
    """A setting to change, and why.

    expected: the share of the local squared errors that it acts on, an upper bound of what it can take off; None
    where the terms do not tell. cost: what it costs, empty for nothing. before, after: outcomes on `samples`
    calibration samples; `after` is None where it was not tried, and `untried` says why.
    """

    setting: str
    reason: str
    expected: float | None = None
    cost: str = ""
    samples: int = 0
    before: Outcome | None = None
    after: Outcome | None = None
    untried: str = ""

    @property
    def gain(self) -> float | None:
        """The gain in agreement that was measured; None where there is none to measure."""
        if self.before is None or self.after is None or self.before.agreement is None or self.after.agreement is None:
            return None
        return self.after.agreement - self.before.agreement

    @property
    def helps(self) -> bool:
        """Whether it helped where it was tried: in agreement, or in the output's error at no loss of agreement.

        Or in steps: where they are fewer by a fifth, and agreement is not lower by more than 1 % or one sample.
        """
        if self.before is None or self.after is None:
            return False
        ratio = self.after.output_error / self.before.output_error if self.before.output_error else 1.0
        gain = self.gain or 0.0
        before, after = self.before.steps, self.after.steps
        if before and after and after <= 0.8 * before:
            return gain >= -max(0.01, 1 / max(self.samples, 1)) - 1e-9
        return (gain > 0 and ratio < 1) or (gain == 0 and ratio < 0.9)


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """The errors of all populations and read-outs over `samples` samples and `steps` steps; see `LayerDiagnosis`.

    Of a `windowed` network `steps` are the levels of a window.
    `confidence` and `advice` are empty unless they were asked for. Printed it is a table of 80 columns.
    """

    samples: int
    steps: int
    layers: tuple[LayerDiagnosis, ...]
    readouts: tuple[LayerDiagnosis, ...] = ()
    windowed: bool = False
    confidence: Mapping[str, Confidence] = field(default_factory=dict)
    advice: tuple[Advice, ...] = ()

    @property
    def split(self) -> tuple[LayerDiagnosis, ...]:
        """The layers whose error is split."""
        return tuple(layer for layer in self.layers if layer.terms)

    def shares(self) -> dict[str, float]:
        """For each term that layers add themselves, its share in the sum of their mean squares over all layers."""
        squares = {term: sum(layer.rms(term) ** 2 for layer in self.split) for term in LOCAL}
        whole = sum(squares.values())
        return {term: square / whole if whole else 0.0 for term, square in squares.items()}

    def share(self, term: str) -> float:
        """One of `shares`; 0 where there is none."""
        return self.shares().get(term, 0.0)

    def worst(self, term: str) -> LayerDiagnosis | None:
        """The layer in which this term is largest; None where it is nowhere."""
        layer = max(self.split, key=lambda layer: layer.rms(term), default=None)
        return layer if layer is not None and layer.rms(term) > 0 else None

    def data(self) -> dict[str, Any]:
        """As plain data for ``report.json``."""
        return {
            "samples": self.samples,
            "steps": self.steps,
            "layers": {layer.name: _plain(layer) for layer in self.layers},
            "readouts": {layer.name: _plain(layer) for layer in self.readouts},
            "local_shares": _rounded(self.shares()),
            "thresholds": {
                name: {**asdict(layer), "more_helps": layer.more_helps} for name, layer in self.confidence.items()
            },
            "advice": [{**asdict(advice), "gain": advice.gain, "helps": advice.helps} for advice in self.advice],
        }

    def __str__(self) -> str:

        return diagnosis_text(self)


def _plain(layer: LayerDiagnosis) -> dict[str, Any]:
    fields = asdict(layer)
    left_out = {"name", "label", "kind"} | (set() if layer.undefined else {"undefined"})
    if layer.kind == "readout":
        left_out |= {"clipped", "saturated", "channels", "dead", "silent", "full"}
    kept = {name: _rounded(value) for name, value in fields.items() if name not in left_out}
    return {**kept, "unit": float(f"{layer.unit:.9g}")}  # in the user's units, of any size


def _rounded(value: Any) -> Any:
    """Shares to nine digits, so that the order of sums over batches does not show; what is not known is None."""
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 9)
    return value
