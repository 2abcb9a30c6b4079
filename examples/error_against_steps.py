"""Bias and variance of rates against the number of steps, for constant currents and for Poisson input.

Takes the first layer of the demo's network, whose neurons get their input from the samples alone, and compares each
rate with the activation that it stands for. With a constant current a rate is rounded to a multiple of 1 / T: its
variance falls as 1 / T^2, and its bias is half a spike unless neurons start at half a threshold (Rueckauer et al. 2017,
eq. 5). Random trains have a variance that falls as 1 / T only; that is what they cost. Takes some seconds; writes
error_against_steps.png where it is started.
"""

import matplotlib
import numpy as np

import snntoolbox as stb
from snntoolbox.workflow import demo

matplotlib.use("Agg")
from matplotlib import pyplot

STEPS = (8, 16, 32, 64, 128, 256)
INPUTS = {
    "constant, start at 0": {"neuron": stb.IF(initial=0.0)},
    "constant, start at 1/2": {"neuron": stb.IF(initial=0.5)},
    "Poisson": {"neuron": stb.IF(initial=0.5), "encoding": stb.Poisson(amplitude=1.0, seed=0)},
}


def errors(graph, x_norm, x, steps, choices):
    """Rate less activation over scale of all neurons of the first layer that neither rest nor saturate."""
    plain = {"threshold_rule": "max", "layer_correction": "none", "readout_correction": 0}
    snn = stb.convert(graph, x_norm, **plain, **choices)
    population = next(iter(snn.populations.values()))
    target = graph.values(x, keep=[population.activation])[population.activation] / population.scale
    rates = stb.simulate(snn, x, duration=steps).rates(population.name)
    return (rates - target)[(target > 0.1) & (target < 0.9)]


def main():
    x_test, _, x_norm = (np.load(demo.folder() / name)["arr_0"] for name in demo.DATA)
    graph, x = stb.load(demo.folder() / "digits_cnn.onnx"), x_test[:50]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4))
    print(f"{'input':24} {'':8} " + " ".join(f"T = {t:<6}" for t in STEPS) + " falls as")
    for label, choices in INPUTS.items():
        found = [errors(graph, x_norm, x, steps, choices) for steps in STEPS]
        bias, variance = (np.array([f(e) for e in found]) for f in (np.mean, np.var))
        power = np.polyfit(np.log(STEPS), np.log(variance), 1)[0]
        print(f"{label:24} {'bias':8} " + " ".join(f"{b:10.2e}" for b in bias))
        print(f"{label:24} {'variance':8} " + " ".join(f"{v:10.2e}" for v in variance) + f" T^{power:.2f}")
        left.plot(STEPS, bias, ".-", label=label)
        right.plot(STEPS, variance, ".-", label=label)
    left.set(title="bias", xlabel="steps T", ylabel="spikes per step")
    right.set(title="variance", xlabel="steps T", ylabel="(spikes per step)²")
    for power, style in ((1, ":"), (2, "--")):
        right.plot(STEPS, [0.2 / t**power for t in STEPS], style, color="grey", label=f"falls as 1 / T^{power}")
    for axes in (left, right):
        axes.set_xscale("log", base=2)
    right.set_yscale("log")
    right.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig("error_against_steps.png", dpi=120)


if __name__ == "__main__":
    main()
