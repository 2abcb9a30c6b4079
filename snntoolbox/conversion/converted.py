"""A spiking network with the calls that people type first: run, classify, summary."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snntoolbox.backends.nir.neuron_nodes import Rules
from snntoolbox.backends.nir.reading import read_nir
from snntoolbox.backends.simulate import simulate
from snntoolbox.errors import ArgumentError
from snntoolbox.ir import io
from snntoolbox.ir.arguments import checked
from snntoolbox.ir.drawing.canvas import drawn
from snntoolbox.ir.drawing.html_forms import network_html
from snntoolbox.ir.drawing.network_plot import plot_network
from snntoolbox.ir.encodings import Encoding
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array
from snntoolbox.ir.result import Result
from snntoolbox.ir.samples import is_single
from snntoolbox.ir.summary import network_summary
from snntoolbox.ir.timing import run_steps

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class ConvertedNetwork(SpikingNetwork):
    """What `convert` and `load_network` give: the network, and short ways to run it."""

    @classmethod
    def of(cls, network: SpikingNetwork) -> ConvertedNetwork:
        """The same network with these calls."""
        rebuild, (_, *made_of) = network.__reduce__()
        converted: ConvertedNetwork = rebuild(cls, *made_of)
        converted.original = network.original
        return converted

    def run(self, x: Array | Sequence[Array], *, duration: float | None = None, **options: Any) -> Result:
        """Simulate samples for `duration` ms (64, or what a schedule takes); options as in `snntoolbox.simulate`."""
        return simulate(self, x, duration=duration, **options)

    def classify(self, x: Array | Sequence[Array], *, duration: float | None = None, **options: Any) -> Array:
        """The class of each sample after `duration` ms; of a single one, without an axis of samples, its class."""
        predictions = self.run(x, duration=duration, **options).predictions
        shapes = {name: self.wiring.shapes[name] for name in self.encodings}
        return predictions[0] if is_single(shapes, x) else predictions

    @property
    def T(self) -> int:  # noqa: N802 - the field's name
        """The steps that a run takes unless another number is given."""
        return run_steps(self, None)

    @property
    def n_layers(self) -> int:
        """The layers of neurons and the read-outs."""
        return len(self.populations) + len(self.readouts)

    @property
    def initial_membrane_fraction(self) -> float:
        """Where potentials start, as a share of the threshold; nan where neurons differ in it."""
        neurons = [p.neuron for p in self.populations.values() if isinstance(p.neuron, IF)]
        starts = [np.unique(np.asarray(n.initial) / np.asarray(n.threshold)) for n in neurons]
        shares = np.unique(np.concatenate(starts)) if starts else np.array([np.nan])
        return float(shares[0]) if len(shares) == 1 else math.nan

    def plot(self, result: Result | None = None, *, ax: Axes | None = None) -> Axes:
        """Draw it as boxes and lines, coloured by the spikes of a result; matplotlib's axes."""
        rates = {} if result is None else {name: float(result.rates(name).mean()) for name in result.counts}
        return drawn(plot_network, self, rates, axes=ax)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return network_html(self)

    def summary(self) -> str:
        """A table of the populations: shape, neurons, thresholds, synapses, and the user's layer."""
        return network_summary(self)


@checked
def load_network(
    path: str | Path,
    *,
    encoding: Encoding | None = None,
    dt: float | None = None,
    reset: str | None = None,
    comparison: str | None = None,
    library: str | None = None,
) -> ConvertedNetwork:
    """The spiking network in a file that `save` wrote, or in a NIR file. DataError where it is none, or damaged.

    What a NIR file of others does not say, and one that was written here does: `encoding` is how inputs are coded
    (given spikes), `dt` the length of a step in its unit of time, which leaks and delays need. `reset` (zero, to
    v_reset) and `comparison` (>) are rules that its writer may have had others of: subtract, and >=. A `library` whose
    neurons do otherwise than its files say by NIR's equations is named: rockpool. UnsupportedError names nodes that
    are not known here.
    """
    chosen = {"encoding": encoding, "dt": dt, "reset": reset, "comparison": comparison, "library": library}
    if Path(path).suffix.lower() == ".nir":
        rules = Rules(dt=dt, reset=reset, comparison=comparison, library=library)
        return ConvertedNetwork.of(read_nir(Path(path), rules, encoding))
    if told := [name for name, value in chosen.items() if value is not None]:
        raise ArgumentError(f"{', '.join(told)} is for NIR files, and {Path(path).name} says it itself")
    return ConvertedNetwork.of(io.load_network(path))
