"""Accuracy after few time steps: recipes against each other on real models, at each number of steps.

    SNNTOOLBOX_ZOO=FOLDER python benchmarks/latency.py
    python benchmarks/latency.py --zoo FOLDER --models resnet20 --rows default,toolbox --steps 8,16 --samples 200

Prints a table per model: for each recipe the agreement with the original's predictions and the accuracy, both in per
cent, after T = 1, 2, ... 128 steps. A recipe may depend on T, so each T is a conversion and a run of its own, and
the seconds of both are told. The models are the package's demo (digits) and those of FOLDER, see ``zoo.py`` beside.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from zoo import load_zoo

os.environ.setdefault("KERAS_BACKEND", "torch")  # before anything imports Keras

STEPS = (1, 2, 4, 8, 16, 32, 64, 128)
MODELS = ("digits", "mnist", "resnet20_akamaster")
BATCH = 50

PLAIN: dict[str, Any] = {"layer_correction": "none"}
ROWS: dict[str, dict[str, Any]] = {
    # The SNN Toolbox: 99.9 % per layer, from V0 = 0, nothing corrected.
    "toolbox": {"threshold_rule": "percentile", "per_channel": False, "initial": 0.0, "readout_correction": 0, **PLAIN},
    "half": {"threshold_rule": "percentile", "per_channel": False, "readout_correction": 0, **PLAIN},
    "percentile": {"threshold_rule": "percentile", **PLAIN},
    "ltb": {"threshold_rule": "ltb", **PLAIN},
    "mmse": {"threshold_rule": "mmse", **PLAIN},
    "mmse+bias": {"threshold_rule": "mmse", "layer_correction": "bias"},
    "mmse+both": {"threshold_rule": "mmse", "layer_correction": "both"},
    "mmse+search": {"threshold_rule": "mmse", "layer_correction": "search"},
    "percentile+search": {"threshold_rule": "percentile", "layer_correction": "search"},
    "default": {},
}
"""The choices of each row (fields of `snntoolbox.conversion.Recipe`; `initial` is the neurons')."""


@dataclass
class Model:
    """A graph with its samples, and what the original says of them."""

    name: str
    graph: Any
    x: np.ndarray
    labels: np.ndarray
    calibration: np.ndarray
    classes: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        from snntoolbox.engine.executor import Executor

        outputs = Executor.double(self.graph).run(self.x, batch_size=BATCH)
        self.classes = outputs.reshape(len(outputs), -1).argmax(axis=1)

    @property
    def accuracy(self) -> float:
        return float(np.mean(self.classes == self.labels))


@dataclass(frozen=True)
class Cell:
    """What one recipe came to at one number of steps."""

    agreement: float
    accuracy: float
    converting: float
    running: float


def measure(model: Model, choices: Mapping[str, Any], steps: int) -> Cell:
    """Convert for so many steps, run the samples, and compare."""
    import snntoolbox as stb
    from snntoolbox.ir.neurons import IF

    chosen = dict(choices)
    if "initial" in chosen:
        chosen["neuron"] = IF(initial=chosen.pop("initial"))
    begin = time.perf_counter()
    network = stb.convert(model.graph, model.calibration, duration=steps, **chosen)
    converted = time.perf_counter()
    parts = [model.x[i : i + BATCH] for i in range(0, len(model.x), BATCH)]
    found = np.concatenate([stb.simulate(network, part, duration=steps).predictions for part in parts])
    agreement, accuracy = float(np.mean(found == model.classes)), float(np.mean(found == model.labels))
    return Cell(agreement, accuracy, converted - begin, time.perf_counter() - converted)


def digits(samples: int | None) -> Model:
    """The network that ships with the package."""
    import snntoolbox as stb
    from snntoolbox import demo

    graph = stb.load(demo.folder() / demo.MODELS["onnx"])
    x, y, cal = (np.load(demo.folder() / name)["arr_0"] for name in demo.DATA)
    shape = graph.shapes[graph.inputs[0]]
    x, cal = (a.reshape(len(a), *shape).astype(np.float32) for a in (x, cal))
    labels = y.argmax(axis=1) if y.ndim > 1 else y
    return Model("digits", graph, x[:samples], labels[:samples], cal)


def of_zoo(zoo: Any, name: str, samples: int | None, calibration: int | None) -> Model:
    """A model of the folder."""
    import snntoolbox as stb

    sample = zoo.sample(name, samples)
    graph = stb.load(sample.file)
    return Model(name, graph, sample.x_test, np.asarray(sample.y_test), sample.x_cal[:calibration])


def table(model: Model, cells: Mapping[tuple[str, int], Cell], rows: Sequence[str], steps: Sequence[int]) -> str:
    """The model's table in Markdown."""
    head = f"{model.name}: ANN {100 * model.accuracy:.1f} % of {len(model.x)} samples. Agreement / accuracy, %."
    lines = [["recipe", *(f"T = {t}" for t in steps), "s"], ["---", *("--:" for _ in steps), "--:"]]
    for row in rows:
        found = [cells.get((row, t)) for t in steps]
        texts = ["" if c is None else f"{100 * c.agreement:.1f} / {100 * c.accuracy:.1f}" for c in found]
        seconds = sum(c.converting + c.running for c in found if c is not None)
        lines.append([row, *texts, f"{seconds:.0f}"])
    return head + "\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def verdict(cells: Mapping[tuple[str, int], Cell], rows: Sequence[str], steps: Sequence[int]) -> str:
    """How far the default lies behind the best fixed recipe, in points of agreement, at each T."""
    if "default" not in rows or len(rows) < 2:
        return ""
    parts = []
    for t in steps:
        best = max(cells[row, t].agreement for row in rows if row != "default")
        parts.append(f"T = {t}: {100 * (cells['default', t].agreement - best):+.1f}")
    return "Default against the best other row, points of agreement: " + ", ".join(parts)


def models(options: argparse.Namespace) -> list[Any]:
    """A function for each wanted model that loads it."""
    wanted = [w for w in options.models.split(",") if w]
    found: list[Any] = []
    if any(w in "digits" for w in wanted):
        found.append(lambda: digits(options.samples))
    if options.zoo:
        zoo = load_zoo(Path(options.zoo))
        names = [m for m in zoo.models() if any(w in m for w in wanted)]
        found += [lambda m=m: of_zoo(zoo, m, options.samples, options.calibration) for m in names]
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--zoo", type=Path, default=os.environ.get("SNNTOOLBOX_ZOO"), help="folder with a zoo.py")
    parser.add_argument("--models", default=",".join(MODELS), help="names with one of these in it (%(default)s)")
    parser.add_argument("--rows", default=",".join(ROWS), help="recipes, of %(default)s")
    parser.add_argument("--steps", default=",".join(map(str, STEPS)), help="numbers of steps (default: %(default)s)")
    parser.add_argument("--samples", type=int, help="test samples per model (default: all)")
    parser.add_argument("--calibration", type=int, help="calibration samples per model (default: all)")
    parser.add_argument("--threads", type=int, help="threads of torch (default: its own)")
    parser.add_argument("-o", "--output", type=Path, help="also write the tables to this file")
    options = parser.parse_args(arguments)
    if options.threads:
        import torch

        torch.set_num_threads(options.threads)
    rows, steps = options.rows.split(","), [int(t) for t in options.steps.split(",")]
    if unknown := [r for r in rows if r not in ROWS]:
        parser.error(f"no such row: {', '.join(unknown)}; there are {', '.join(ROWS)}")
    texts = []
    for load in models(options):
        import snntoolbox as stb

        try:
            model = load()
        except stb.SNNToolboxError as error:
            print(f"refused: {str(error).splitlines()[0]}", flush=True)
            continue
        cells = {}
        for row in rows:
            for t in steps:
                cells[row, t] = cell = measure(model, ROWS[row], t)
                print(f"{model.name} {row} T = {t}: {100 * cell.agreement:.1f} {100 * cell.accuracy:.1f} "
                      f"({cell.converting:.1f} s + {cell.running:.1f} s)", flush=True)  # fmt: skip
        texts.append("\n\n".join(filter(None, [table(model, cells, rows, steps), verdict(cells, rows, steps)])))
        print(f"\n{texts[-1]}\n", flush=True)
    if options.output:
        options.output.write_text("\n\n".join(texts) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
