"""Synapses that spread a spike over time, against jitter: how evenly a neuron fires on inputs that come unevenly.

A neuron sums sixty regular trains whose spikes are moved in time by some steps. The current of a delta
synapse follows each of them. An exponential one with time constant tau, I[t] = a I[t-1] + (1 - a) W z[t] with
a = exp(-1 / tau), is a part of neurons that is written here: it lets the mean pass and damps the rest, for independent
steps by (1 - a) / (1 + a) in variance. Prints the spread of the current, and the coefficient of variation of the
intervals between the neuron's spikes. Takes some seconds; writes synaptic_filtering.png where it is started.
"""

import math
from dataclasses import dataclass

import matplotlib
import numpy as np

import snntoolbox as stb
from snntoolbox.ir.feature import Feature
from snntoolbox.ir.network import Population, Readout
from snntoolbox.ir.nodes import Dense, Input
from snntoolbox.ir.part import Synapse

matplotlib.use("Agg")
from matplotlib import pyplot

TAUS = (0, 2, 5, 10, 20)
JITTERS = (0, 2, 4, 8)
TRAINS, PERIOD, STEPS = 60, 12, 600
THRESHOLD = 37.0


@dataclass(frozen=True, eq=False)
class Exponential(Synapse):
    """I[t] = a I[t-1] + (1 - a) W z[t], a = exp(-1 / tau): a spike acts for about tau steps, with the same sum."""

    features = (Feature("exponential synapses", "exponential synapses"),)

    tau: float

    def start(self, shape):
        """No current yet."""
        return {"current": np.zeros(shape)}

    def current(self, arriving, memory):
        """What is left of the earlier spikes, and a part of the new ones."""
        left = math.exp(-1 / self.tau)
        memory["current"] = left * memory["current"] + (1 - left) * arriving
        return memory["current"]


def trains(jitter, random):
    """Regular trains with phases of their own, each spike moved by up to so many steps, (1, steps, trains)."""
    spikes = np.zeros((1, STEPS, TRAINS), np.int8)
    for train in range(TRAINS):
        times = np.arange(train % PERIOD, STEPS, PERIOD)
        times = times + random.integers(-jitter, jitter + 1, len(times))
        spikes[0, times.clip(0, STEPS - 1), train] = 1
    return spikes


def network(tau):
    """One neuron that sums all trains; its potential is the sum of its current."""
    neuron = stb.IF(threshold=THRESHOLD, special=(Exponential(tau),) if tau else ())
    wiring = stb.Graph(
        [
            Input(name="x", shape=(TRAINS,)),
            Dense(name="sum", inputs=("x",), weight=np.ones((1, TRAINS))),
            Input(name="n", shape=(1,)),
        ],
        ["sum", "n"],
    )
    cell = Population(name="n", shape=(1,), neuron=neuron, current="sum", scale=np.ones(1), activation="n")
    out = Readout(name="o", current="n", shape=(1,))
    return stb.SpikingNetwork(wiring, {"x": stb.SpikeTimes()}, [cell], [out])


def spread(tau, jitter, random):
    """The standard deviation of the current, and the variation of the intervals between spikes, behind the start."""
    record = stb.Record(spikes=True, potentials=True)
    result = stb.simulate(network(tau), trains(jitter, random), duration=STEPS, record=record)
    spikes, potential = result.spikes["n"][:, 0, 0], result.potentials["n"][:, 0, 0]
    current = np.diff(potential) + THRESHOLD * spikes[1:]
    intervals = np.diff(np.flatnonzero(spikes[100:]))
    return float(current[100:].std()), float(intervals.std() / intervals.mean())


def main():
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4))
    print(f"{'jitter':>6} {'':18} " + " ".join(f"tau = {t:<4}" for t in TAUS))
    for jitter in JITTERS:
        rows = [spread(tau, jitter, np.random.default_rng(0)) for tau in TAUS]
        for name, axis, values in zip(("current", "intervals"), (left, right), zip(*rows, strict=True), strict=True):
            print(f"{jitter:6} {name:18} " + " ".join(f"{v:10.3f}" for v in values))
            axis.plot(TAUS, values, ".-", label=f"moved by up to {jitter}")
    left.set(title="spread of the current", xlabel="time constant of the synapse (steps)", ylabel="standard deviation")
    right.set(title="intervals between spikes", xlabel="time constant of the synapse (steps)", ylabel="variation")
    right.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig("synaptic_filtering.png", dpi=120)


if __name__ == "__main__":
    main()
