"""How accurate the demo is with synaptic currents: what waiting read-outs and corrected layers are worth."""

from __future__ import annotations

import argparse
import math

import numpy as np

import snntoolbox as stb
from snntoolbox.workflow import demo

CHOICES = {
    "as usual": {},
    "read-outs alone": {"layer_correction": "none"},
    "nothing corrected": {"layer_correction": "none", "readout_correction": 0},
}
TAUS = ((0.0, 0.0), (2.0, 2.0), (5.0, 5.0), (10.0, 10.0), (5.0, 10.0), (10.0, 5.0))


def main() -> None:
    """Print the share of right answers for each pair of time constants and duration, and the first step read out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", default="32,64,200")
    parser.add_argument("--samples", type=int, default=500)
    options = parser.parse_args()
    folder = demo.folder()
    x, y, norm = (np.load(folder / f"{name}.npz")["arr_0"] for name in ("x_test", "y_test", "x_norm"))
    x, y = x[: options.samples], (y.argmax(1) if y.ndim > 1 else y)[: options.samples]
    graph = stb.load(folder / "digits_cnn.onnx")
    print(f"original {100 * np.mean(graph.run(x).argmax(1) == y):.1f} %")
    print("| tau_syn_E, tau_syn_I | steps |", " | ".join(f"{name} (from step)" for name in CHOICES), "|")
    for steps in map(int, options.steps.split(",")):
        for taus in TAUS:
            cells = []
            for choice in CHOICES.values():
                neuron = stb.IF(initial=0.5, synaptic=tuple(math.exp(-1 / tau) if tau else 0.0 for tau in taus))
                network = stb.convert(graph, norm, duration=steps, neuron=neuron, **choice)
                right = np.mean(stb.simulate(network, x, duration=steps).predictions == y)
                cells.append(f"{100 * right:.1f} ({network.readouts[0].start})")
            print(f"| {taus[0]:g}, {taus[1]:g} | {steps} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
