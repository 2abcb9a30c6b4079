"""How the demo fares when onnxruntime has quantised it: original, quantised, as it is read, as a spiking network."""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import snntoolbox as stb
from snntoolbox.frontends.onnx import OnnxFrontend
from snntoolbox.workflow import demo


def quantised(source: Path, target: Path, samples: Any, *, per_channel: bool) -> None:
    """Write the model with int8 weights and uint8 activations, by the samples' ranges."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.batches: Iterator[Any] = iter([{name: samples[i : i + 1]} for i in range(len(samples))])

        def get_next(self) -> Any:
            return next(self.batches, None)

    name = OnnxFrontend().open(source).inputs[0].name
    logging.getLogger().setLevel(logging.ERROR)
    quantize_static(
        source,
        target,
        Reader(),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=per_channel,
    )


def main() -> None:
    """Print the share of right answers, and how far the outputs are apart."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--steps", type=int, default=255)
    options = parser.parse_args()
    folder = demo.folder()
    x, y, norm = (np.load(folder / f"{name}.npz")["arr_0"] for name in ("x_test", "y_test", "x_norm"))
    x, y = x[: options.samples], (y.argmax(1) if y.ndim > 1 else y)[: options.samples]
    source = folder / "digits_cnn.onnx"
    print(f"original {100 * np.mean(stb.load(source).run(x).argmax(1) == y):.1f} %")
    for per_channel in (False, True):
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / "quantised.onnx"
            quantised(source, path, norm[:100], per_channel=per_channel)
            frontend, graph = OnnxFrontend(), stb.load(path)
            (theirs,) = frontend.predict(frontend.open(path), x)
            ours = graph.run(x.astype(np.float32))
        same = np.mean(np.abs(ours - theirs).reshape(len(x), -1).max(1) < 1e-5 * np.abs(theirs).max())
        print("\nper channel" if per_channel else "\nper tensor")
        print(f"onnxruntime {100 * np.mean(theirs.argmax(1) == y):.1f} %")
        right = np.mean(ours.argmax(1) == y)
        print(f"as it is read {100 * right:.1f} %, in float32 equal outputs for {100 * same:.1f} % of samples")
        for schedule in ("rate", "phased"):
            network = stb.convert(graph, norm, duration=options.steps, schedule=schedule)
            result = stb.simulate(network, x, duration=options.steps)
            right, agree = np.mean(result.predictions == y), np.mean(result.predictions == theirs.argmax(1))
            print(f"{schedule}, {options.steps} steps: {100 * right:.1f} %, as onnxruntime {100 * agree:.1f} %")


if __name__ == "__main__":
    main()
