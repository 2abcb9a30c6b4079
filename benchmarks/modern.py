"""Converts networks with gates and smooth functions to windows of binary digits, and prints what is left of them.

    python benchmarks/modern.py
    python benchmarks/modern.py --models EfficientNetB0,MobileNetV3Small --size 64 --digits 4,6,8 --bits 8

The architectures are those of keras.applications, with random weights and normalisations as if they were trained, on
random images, others than those that thresholds were chosen on. `error` is the root mean square of the differences to
the original outputs, over their deviation from image to image.
"""

from __future__ import annotations

import argparse
import os
import time
from typing import Any

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "torch")  # before anything imports Keras

HEADER = ("model", "digits", "windows", "steps", "neurons", "error", "spikes per neuron", "convert s", "run s")


def model_of(name: str, size: int) -> Any:
    """The architecture, with seeded weights."""
    import keras

    keras.utils.set_random_seed(0)
    model = getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3), classes=10)
    random = np.random.default_rng(0)
    for weight in model.weights:  # a fresh normalisation does nothing
        if weight.path.endswith(("moving_mean", "beta")):
            weight.assign(random.normal(0, 0.1, weight.shape))
        if weight.path.endswith(("moving_variance", "gamma")):
            weight.assign(random.uniform(0.5, 1.5, weight.shape))
    return model


def row(name: str, graph: Any, x: Any, test: Any, digits: int, bits: int) -> tuple[str, ...]:
    """The cells of one conversion."""
    import snntoolbox as stb
    from snntoolbox.engine.executor import Executor

    begin = time.perf_counter()
    network = stb.convert(graph, x, schedule="radix", T=digits, weight_bits=bits, readout_correction=0)
    middle = time.perf_counter()
    result = stb.simulate(network, test, T=digits)
    end = time.perf_counter()
    assert network.original is not None
    assert network.schedule is not None
    assert network.schedule.steps is not None
    expected, output = Executor(network.original).run(test), result.output
    error = float(np.sqrt(np.mean((output - expected) ** 2) / np.var(expected, axis=0).mean()))
    fired = sum(float(spikes.sum()) for spikes in result.fired.values()) / len(test) / network.neurons
    steps = network.schedule.steps
    return (
        *(name, str(digits), str(steps // digits), str(steps), f"{network.neurons:,}", f"{error:.4f}", f"{fired:.2f}"),
        *(f"{middle - begin:.0f}", f"{end - middle:.1f}"),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default="EfficientNetB0,MobileNetV3Small")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--digits", default="4,6,8")
    parser.add_argument("--bits", type=int, default=0)
    chosen = parser.parse_args()
    import snntoolbox as stb

    print("| " + " | ".join(HEADER) + " |\n|" + " --- |" * len(HEADER))
    for name in chosen.models.split(","):
        graph = stb.load(model_of(name, chosen.size))
        x = np.random.default_rng(1).uniform(0, 255, (24, chosen.size, chosen.size, 3)).astype(np.float32)
        for digits in chosen.digits.split(","):
            print("| " + " | ".join(row(name, graph, x[4:], x[:4], int(digits), chosen.bits)) + " |", flush=True)


if __name__ == "__main__":
    main()
