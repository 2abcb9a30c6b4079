"""A spiking network as processes of Lava: neurons, Lava's own synapses, and what runs them.

It needs lava-nc (Python 3.10) and nothing else: `Network("weights.npz").run(...)`. A file of inputs on the command line
is run, and the spikes are compared with those in the file: python network.py samples.npz
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.io.sink import RingBuffer as Sink
from lava.proc.io.source import RingBuffer as Source
from lava.proc.sparse.process import Sparse
from lava.utils.weightutils import SignMode


class Neurons(AbstractProcess):  # type: ignore[misc]
    """Integrate-and-fire neurons: V grows by bias and input, and fires where V >= threshold.

    A spike takes the threshold away (`subtracts`), or sets V to `low`. Nothing happens in the first `onset` steps.
    """

    def __init__(
        self, *, threshold: Any, initial: Any, bias: Any, subtracts: bool, low: int, onset: int, name: str
    ) -> None:
        shape = threshold.shape
        super().__init__(shape=shape, name=name)
        self.a_in = InPort(shape=shape)
        self.s_out = OutPort(shape=shape)
        self.v = Var(shape=shape, init=initial)
        self.threshold = Var(shape=shape, init=threshold)
        self.bias = Var(shape=shape, init=bias)
        self.subtracts = Var(shape=(1,), init=np.array([int(subtracts)]))
        self.low = Var(shape=(1,), init=np.array([low]))
        self.onset = Var(shape=(1,), init=np.array([onset]))


@implements(proc=Neurons, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyNeurons(PyLoihiProcessModel):  # type: ignore[misc]
    """What they do in a step, in whole numbers."""

    a_in: Any = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    s_out: Any = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=1)
    v: Any = LavaPyType(np.ndarray, np.int32, precision=24)
    threshold: Any = LavaPyType(np.ndarray, np.int32, precision=24)
    bias: Any = LavaPyType(np.ndarray, np.int32, precision=24)
    subtracts: Any = LavaPyType(np.ndarray, np.int32, precision=1)
    low: Any = LavaPyType(np.ndarray, np.int32, precision=24)
    onset: Any = LavaPyType(np.ndarray, np.int32, precision=24)

    def run_spk(self) -> None:
        """One step."""
        arrived = self.a_in.recv()
        fired = np.zeros(self.v.shape, bool)
        if self.time_step > self.onset[0]:
            self.v += self.bias + arrived
            fired = self.v >= self.threshold
            if self.subtracts[0]:
                self.v -= self.threshold * fired
            else:
                self.v[fired] = self.low[0]
        self.s_out.send(fired)


class Network:
    """A network in a file: its neurons, its synapses as 8-bit weights, and what the layers are called."""

    def __init__(self, path: Any) -> None:
        with np.load(path) as file:
            self.arrays = dict(file)
        about = json.loads(str(self.arrays["about"]))
        self.layers: dict[str, dict[str, Any]] = about["layers"]
        self.synapses: list[dict[str, Any]] = about["synapses"]
        self.readouts: dict[str, dict[str, Any]] = about["readouts"]
        self.lead: int = about["lead"]

    def run(self, bias: dict[str, Any], trains: dict[str, Any], steps: int) -> dict[str, Any]:
        """Run samples side by side: layer -> spikes (steps, samples, neurons).

        `bias` has what each neuron of a layer gets in every step (samples, neurons), `trains` the spikes of inputs
        (steps, samples, sources).
        """
        samples = next(iter({**bias, **{name: train[0] for name, train in trains.items()}}.values())).shape[0]
        total = steps + self.lead
        ports = {name: self._source(train, total) for name, train in trains.items()}
        groups = {name: self._neurons(name, bias[name]) for name in self.layers}
        ports.update({name: group.s_out for name, group in groups.items()})
        for number, synapse in enumerate(self.synapses):
            connection = self._connection(number, samples)
            ports[synapse["source"]].connect(connection.s_in)
            connection.a_out.connect(groups[synapse["target"]].a_in)
        shown = {name: group for name, group in groups.items() if self.layers[name]["shown"]}
        sinks = {name: Sink(shape=group.v.shape, buffer=total) for name, group in shown.items()}
        for name, sink in sinks.items():
            ports[name].connect(sink.a_in)
        first = next(iter(sinks.values()))
        try:
            first.run(condition=RunSteps(num_steps=total), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
            found = {name: sink.data.get() for name, sink in sinks.items()}
        finally:
            first.stop()
        return {name: self._shifted(name, data.T, steps, samples) for name, data in found.items()}

    def outputs(self, spikes: dict[str, Any], currents: dict[str, Any], steps: int) -> dict[str, Any]:
        """What read-outs (samples, values) say of the spikes of layers and inputs, and of constant currents to them."""
        found = {}
        for name, readout in self.readouts.items():
            # The first steps are forgotten as soon as as many more have passed.
            first = readout["start"] if steps >= 2 * readout["start"] else 0
            total = (steps - first) * currents[name]
            for number, part in enumerate(readout["parts"]):
                train = spikes[part["source"]][max(first - part["lag"], 0) : max(steps - part["lag"], 0)]
                total = total + train.sum(axis=0) @ self.arrays[f"weight {number} to {name}"].T
            found[name] = readout["scale"] * (total / (steps - first) + self.arrays[f"bias to {name}"])
        return found

    def _source(self, train: Any, total: int) -> Any:
        """The port of a process that plays spikes."""
        data = np.zeros((train[0].size, total), np.int32)
        data[:, : len(train)] = train.reshape(len(train), -1).T
        return Source(data=data).s_out

    def _neurons(self, name: str, bias: Any) -> Neurons:
        layer, samples = self.layers[name], len(bias)
        threshold, initial = (np.tile(self.arrays[f"{what} of {name}"], samples) for what in ("threshold", "initial"))
        given = {key: layer[key] for key in ("subtracts", "low", "onset")}
        return Neurons(threshold=threshold, initial=initial, bias=bias.ravel(), name=name, **given)

    def _connection(self, number: int, samples: int) -> Any:
        """The synapses of one kind, for samples that do not touch one another."""
        synapse = self.synapses[number]
        weight, post, pre = (self.arrays[f"{what} {number}"] for what in ("weight", "post", "pre"))
        one = sp.csr_matrix((weight.astype(np.int32), (post, pre)), shape=tuple(synapse["shape"]))
        both = sp.kron(sp.identity(samples, dtype=np.int32), one, format="csr")
        return Sparse(weights=both, weight_exp=synapse["exponent"], num_weight_bits=8, sign_mode=SignMode.MIXED)

    def _shifted(self, name: str, data: Any, steps: int, samples: int) -> Any:
        """The steps of a layer's own, which begin at its onset."""
        onset = self.layers[name]["onset"]
        return data[onset : onset + steps].reshape(steps, samples, -1) > 0


def main(path: Any) -> int:
    """Run the inputs of a file, and say in how many cells the spikes differ from those in it."""
    with np.load(path) as file:
        given = dict(file)

    def named(kind: str) -> dict[str, Any]:
        return {key[len(kind) :]: value for key, value in given.items() if key.startswith(kind)}

    network, steps, trains = Network(Path(path).parent / "weights.npz"), int(given["steps"]), named("train of ")
    found = network.run(named("bias of "), trains, steps)
    differ, cells = 0, 0
    for name, spikes in named("spikes of ").items():
        differ, cells = differ + int((found[name] != spikes).sum()), cells + spikes.size
    outputs = network.outputs({**trains, **found}, named("current of "), steps)
    wrong = [name for name, output in named("output of ").items() if not np.allclose(outputs[name], output)]
    told = f", and the outputs {', '.join(wrong)}" if wrong else ""
    sys.stdout.write(f"{differ} of {cells} cells differ{told}\n")
    return int(differ > 0 or bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:2] or [str(Path(__file__).with_name("samples.npz"))]))
