"""A picture of a diagnosis: what the error of each layer is made of, as stacked bars."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from snntoolbox.diagnosis import terms
from snntoolbox.diagnosis.findings import Diagnosis, LayerDiagnosis
from snntoolbox.report.canvas import BLUE, GREEN, GREY, ORANGE, PINK, canvas, say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = {
    terms.CLIPPING: ORANGE,
    terms.QUANTISATION: BLUE,
    terms.SAMPLING: PINK,
    terms.UNEVENNESS: GREEN,
    terms.PROPAGATED: "#BBBBBB",
    terms.WINDOW: "#56B4E9",
    terms.CORRECTION: "#E69F00",
}
"""In the order of the bars: what a layer adds itself first, what it has from others behind."""

_LABELS = {terms.SAMPLING: "random input", terms.WINDOW: "read-out: first steps", terms.CORRECTION: "read-out: bias"}


def error_terms(diagnosis: Diagnosis) -> Figure:
    """A bar per layer and read-out: the RMS of each term in percent of the activation's, and the error as a mark.

    Terms partly cancel, so the mark is not at the end of the bar. A layer whose error is not split has only the mark.
    """
    layers = [*diagnosis.layers, *diagnosis.readouts]
    figure, axes = canvas(8, 1.9 + 0.32 * len(layers))
    places, ends = np.arange(len(layers)), np.zeros(len(layers))
    for term, colour in _COLOURS.items():
        widths = np.array([100 * layer.rms(term) for layer in layers])
        if np.any(widths > 0.05):  # less cannot be seen
            axes.barh(places, widths, left=ends, color=colour, height=0.7, label=_LABELS.get(term, term))
            ends += widths
    totals = [100 * layer.total.rms for layer in layers]
    axes.scatter(totals, places, marker="D", s=26, color=GREY, edgecolors="white", zorder=3, label="error")
    axes.set_yticks(places, [_label(layer) for layer in layers])
    axes.set_ylim(len(layers) - 0.4, -0.6)
    axes.set_xlim(0, 1.08 * max([*totals, *ends, 1e-9]))
    title = f"What the errors are made of ({diagnosis.samples} samples, {diagnosis.steps} steps)"
    say(axes, title, "root mean square, % of that of the activation", "")
    axes.grid(axis="y", visible=False)
    axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _label(layer: LayerDiagnosis) -> str:
    return f"{layer.name} (not split)" if layer.undefined else layer.name
