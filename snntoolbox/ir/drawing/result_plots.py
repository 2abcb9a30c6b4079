"""Pictures of a result from Python: ``result.plot.raster("relu1")`` and the like, which give matplotlib's axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from snntoolbox.errors import ArgumentError, DataError
from snntoolbox.ir.agreement import confusion_matrix, correlation
from snntoolbox.ir.arguments import nearest
from snntoolbox.ir.drawing import plots
from snntoolbox.ir.drawing.canvas import drawn
from snntoolbox.ir.finished import Finished
from snntoolbox.ir.labels import class_labels
from snntoolbox.ir.large_arrays import piece
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array
from snntoolbox.ir.samples import arrays_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_SAMPLES = 200
"""Samples whose rates are held against activations: a picture of more looks the same."""


class ResultPlots:
    """The pictures of one result. Each returns matplotlib's axes, and draws into `ax` where that is given."""

    def __init__(self, result: Finished) -> None:
        self._result = result

    def raster(self, layer: str, sample: int = 0, *, ax: Axes | None = None) -> Axes:
        """The spikes of a layer over time for one sample; of a large layer an even choice of neurons."""
        trains = self._recorded("spikes", layer, sample)
        return drawn(plots.raster, trains, layer, self._result.dt, axes=ax)

    def potential(
        self, layer: str, neuron: int | tuple[int, ...] | None = None, sample: int = 0, *, ax: Axes | None = None
    ) -> Axes:
        """The membrane potential of one neuron for one sample; of the one that fires most unless it is named.

        It is named by its number or by its place in the layer, (channel, row, column) for one.
        """
        traces = self._recorded("potentials", layer, sample)
        values = np.asarray(traces, float).reshape(len(traces), -1)
        if neuron is None:
            neuron = int(self._result.counts[layer][sample].argmax())
        neuron = _neuron(layer, neuron, traces.shape[1:])
        threshold = self._threshold(layer, neuron)
        return drawn(plots.potential, values[:, neuron], threshold, layer, neuron, self._result.dt, axes=ax)

    def accuracy(self, y: Array | None = None, *, ax: Axes | None = None) -> Axes:
        """The share of right answers after each step, and the original network's as a line, where it is known.

        Without labels: the share of answers that are the original's.
        """
        answers, original = self._result.predictions_per_step, self._original_answers()
        if y is None and original is None:
            raise ArgumentError("there is nothing to hold the answers against", hint="give the labels: accuracy(y)")
        right = original if y is None else self._labels(y)
        share = np.mean((answers == right).reshape(len(answers), -1), axis=1)
        level = None if y is None or original is None else float(np.mean(original == right))
        what = "agreement with the original" if y is None else "accuracy"
        return drawn(plots.share_over_time, share, level, self._result.dt, what=what, axes=ax)

    def confusion(self, y: Array, classes: Sequence[str] | None = None, *, ax: Axes | None = None) -> Axes:
        """How many samples of each class (rows) got which answer (columns); `classes` are names for them."""
        labels, answers = self._labels(y), self._result.predictions
        head, shape = self._result.head, self._result.output.shape[1:]
        number = max(head.classes(shape), int(labels.max(initial=0)) + 1)
        if classes is not None and len(classes) != number:
            raise ArgumentError(f"{len(classes)} names for {number} classes")
        matrix = confusion_matrix(answers.ravel(), labels.ravel(), number)
        return drawn(plots.confusion, matrix, classes, axes=ax)

    def rates_against_activations(
        self, layer: str | None = None, x: Array | Sequence[Array] | None = None, *, ax: Axes | None = None
    ) -> Axes:
        """A point per neuron and sample: the activation that its rate stands for, over that of the original.

        Of all layers unless one is named. `x` are the samples of the original where the spiking network had others,
        such as events.
        """
        pairs = self._pairs(layer, x)
        return drawn(plots.layers_against_activations, pairs, axes=ax)

    def distribution(
        self, layer: str, x: Array | Sequence[Array] | None = None, *, ax: Axes | None = None
    ) -> Axes:
        """How often each size of activation occurs in a layer, in the original and as rate times scale."""
        ((rates, activations),) = self._pairs(layer, x).values()
        return drawn(plots.histograms, rates, activations, layer, axes=ax)

    def correlations(self, x: Array | Sequence[Array] | None = None, *, ax: Axes | None = None) -> Axes:
        """How well each layer follows the original: a bar with Pearson's r."""
        values = {name: correlation(*pair) for name, pair in self._pairs(None, x).items()}
        return drawn(plots.correlations, values, axes=ax)

    def spike_counts(self, *, ax: Axes | None = None) -> Axes:
        """Spikes per sample in each step, a line for each layer whose spikes were recorded."""
        spikes = self._result.spikes
        if not spikes:
            raise _unrecorded("spikes", "any layer", "True")
        counts = {n: (s != 0).reshape(*s.shape[:2], -1).sum(axis=2).mean(axis=1) for n, s in spikes.items()}
        return drawn(plots.spike_counts, counts, self._result.dt, axes=ax)

    # -- what they draw -----------------------------------------------------------------------------------------------

    def _layer(self, layer: str) -> None:
        """ArgumentError where there is no such layer."""
        known = self._result.counts
        if layer not in known:
            near = nearest(layer, known)
            hint = f"did you mean '{near}'?" if near else f"it has {', '.join(known)}"
            raise ArgumentError(f"the network has no layer of neurons '{layer}'", hint=hint)

    def _recorded(self, what: str, layer: str, sample: int) -> Array:
        """What was recorded of a layer for one sample, (steps, *shape)."""
        self._layer(layer)
        recorded: Mapping[str, Array] = getattr(self._result, what)
        if layer not in recorded:
            raise _unrecorded(what, layer, f"{{{layer!r}}}")
        if not 0 <= sample < self._result.samples:
            raise ArgumentError(f"there is no sample {sample}", hint=f"from 0 to {self._result.samples - 1}")
        return recorded[layer][:, sample]

    def _threshold(self, layer: str, neuron: int) -> float:
        """The threshold of a neuron; nan where it is not known, which draws no line."""
        population = None if self._result.ran is None else self._result.ran.network.populations[layer]
        if population is None or not isinstance(population.neuron, IF):
            return float("nan")
        return float(np.broadcast_to(population.neuron.threshold, population.shape).ravel()[neuron])

    def _labels(self, y: Array) -> Array:
        output = self._result.output
        return class_labels(y, self._result.head, output.shape[1:], len(output))

    def _original_answers(self) -> Array | None:
        """The answers of the original; None where it is not known, or was given other samples."""
        ran = self._result.ran
        if ran is None or ran.analogue is None or not ran.same_samples:
            return None
        name = ran.network.readouts[0].name
        return self._result.head.decisions(ran.analogue(ran.x, [name])[name])

    def _pairs(self, layer: str | None, x: Array | Sequence[Array] | None) -> dict[str, tuple[Array, Array]]:
        """Rates in the units of activations, and activations, of the first samples."""
        if layer is not None:
            self._layer(layer)
        ran = self._result.ran
        if ran is None or ran.analogue is None:
            hint = "convert and run in one go: stb.convert(model, x_norm).run(x)"
            raise DataError("the original network is not known here: a file of a network does not hold it", hint=hint)
        populations = [p for p in ran.network.populations.values() if layer in (None, p.name) and not p.recurs]
        if x is None and not ran.same_samples:
            raise DataError("the original network takes other samples", hint="give them: x=")
        given = ran.x if x is None else arrays_of(x)
        first = tuple(piece(a, 0, MOST_SAMPLES) for a in given)
        values = ran.analogue(first, [p.activation for p in populations])
        pairs = {
            p.name: (rates * p.scale, np.reshape(values[p.activation], rates.shape))
            for p in populations if p.activation in values
            for rates in [self._result.rates(p.name)[:MOST_SAMPLES]]
        }  # fmt: skip
        if not pairs:
            what = "no layer stands" if layer is None else f"{layer} does not stand"
            raise DataError(f"{what} for one value of the original", hint="as where neurons serve several steps")
        return pairs


def _neuron(layer: str, neuron: int | tuple[int, ...], shape: tuple[int, ...]) -> int:
    """The number of a neuron that is named by it or by its place; ArgumentError where there is none."""
    places = (neuron,) if isinstance(neuron, int | np.integer) else neuron
    sizes = (int(np.prod(shape)),) if len(np.atleast_1d(places)) == 1 else shape
    try:
        return int(np.ravel_multi_index(places, sizes))
    except (TypeError, ValueError):
        hint = f"a number from 0 to {int(np.prod(shape)) - 1}, or a place in {tuple(shape)}"
        raise ArgumentError(f"{layer} has no neuron {neuron}", hint=hint) from None


def _unrecorded(what: str, layer: str, value: str) -> DataError:
    return DataError(f"the {what} of {layer} were not recorded", hint=f"run with record=stb.Record({what}={value})")
