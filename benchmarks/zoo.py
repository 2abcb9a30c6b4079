"""Runs every real model of a folder through load, convert and simulate, and prints a table of what came out.

    SNNTOOLBOX_ZOO=FOLDER python benchmarks/zoo.py
    python benchmarks/zoo.py --zoo FOLDER --models mnist_cnn,resnet --samples 100 --threads 2 -o table.md

FOLDER holds a ``zoo.py`` with ``models()``, the names, and ``sample(name, n)``, which has `file` (the model),
`x_test`, `y_test` (class indices), `x_cal` and, where known, `pred`: the original network's classes. One model's
failure does not stop the rest.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "torch")  # before anything imports Keras

STEPS = (8, 32, 128)
BATCH = 50
LINES_OF_A_REFUSAL = 4


@dataclass
class Row:
    """What is known of one model; None is not measured. `difference` is a share of the output's largest value."""

    model: str
    ann: float | None = None
    parsed: float | None = None
    difference: float | None = None
    agree: str = ""
    snn: tuple[float, ...] = ()
    neurons: int | None = None
    seconds: float = 0.0
    refused: str = ""

    def cells(self) -> list[str]:
        """The row's texts, in the order of `HEADER`."""
        snn = [_percent(a) for a in (*self.snn, *(None for _ in STEPS))][: len(STEPS)]
        difference = "" if self.difference is None else f"{self.difference:.1e}"
        numbers = [_percent(self.ann), _percent(self.parsed), self.agree, difference, *snn]
        neurons = "" if self.neurons is None else f"{self.neurons:,}"
        return [self.model, *numbers, neurons, f"{self.seconds:.1f}", self.refused.replace("|", "/")]


HEADER = ("model", "ANN", "parsed", "same class", "difference", *(f"T = {t}" for t in STEPS), "neurons", "s", "refused")


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}"


# -- one model --------------------------------------------------------------------------------------------------


def measure(zoo: ModuleType, name: str, samples: int) -> Row:
    """The row of a model; a refusal's first lines, or a failure's kind, where it has one."""
    from snntoolbox import SNNToolboxError

    row, start = Row(name), time.perf_counter()
    try:
        _fill(row, zoo.sample(name, samples))
    except SNNToolboxError as error:
        row.refused = _first_lines(str(error))
    except Exception as error:  # a defect: tell it, and go on with the other models
        traceback.print_exc()
        row.refused = f"FAILED: {type(error).__name__}: {_first_lines(str(error))}"
    row.seconds = time.perf_counter() - start
    return row


def _fill(row: Row, sample: Any) -> None:
    """Measure the original, the parsed graph and the spiking network."""
    import snntoolbox as stb
    from snntoolbox.engine.executor import Executor
    from snntoolbox.frontends.registry import frontend_for

    x, labels = sample.x_test, np.asarray(sample.y_test)
    frontend = frontend_for(sample.file)
    try:
        opened = frontend.open(sample.file)
        theirs = _in_batches(lambda part: frontend.predict(opened, part)[0], x)
        row.ann = _accuracy(theirs, labels)
    except stb.SNNToolboxError:  # no framework runs the file: what is known of the original is in `pred`
        theirs = None
        row.ann = None if sample.pred is None else float(np.mean(sample.pred == labels[: len(sample.pred)]))
    graph = stb.load(sample.file)
    executor = Executor.double(graph)
    ours = _in_batches(lambda part: executor.run(part, batch_size=len(part)), x)
    row.parsed = _accuracy(ours, labels)
    if theirs is not None:
        scale = float(np.abs(theirs).max()) or 1.0  # as `load` measures it
        row.difference = float(np.abs(ours - theirs.reshape(ours.shape)).max()) / scale
    original = sample.pred if theirs is None else _classes(theirs)
    if original is not None:
        row.agree = f"{np.sum(_classes(ours)[: len(original)] == original)}/{min(len(ours), len(original))}"
    network = stb.convert(graph, sample.x_cal, duration=STEPS[-1], batch_size=BATCH)
    row.neurons = sum(population.size for population in network.populations.values())
    row.snn = _spiking(network, x, labels)


def _spiking(network: Any, x: np.ndarray, labels: np.ndarray) -> tuple[float, ...]:
    """The accuracy after each number of `STEPS`, from one run of the longest."""
    import snntoolbox as stb

    right = np.zeros(len(STEPS))
    for start in range(0, len(x), BATCH):
        result = stb.simulate(network, x[start : start + BATCH], duration=STEPS[-1], batch_size=BATCH)
        predictions = result.predictions_per_step
        right += [np.sum(predictions[t - 1] == labels[start : start + BATCH]) for t in STEPS]
    return tuple((right / len(x)).tolist())


def _in_batches(run: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray:
    return np.concatenate([run(x[i : i + BATCH]) for i in range(0, len(x), BATCH)])


def _classes(outputs: np.ndarray) -> np.ndarray:
    return np.asarray(outputs.reshape(len(outputs), -1).argmax(axis=1))


def _accuracy(outputs: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean(_classes(outputs) == labels))


def _first_lines(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    more = " ..." if len(lines) > LINES_OF_A_REFUSAL else ""
    return "; ".join(lines[:LINES_OF_A_REFUSAL]).replace(":; ", ": ") + more


# -- all of them ------------------------------------------------------------------------------------------------


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown, and what they come to."""
    lines = [HEADER, ["---", *("--:" for _ in HEADER[2:]), "---"], *(row.cells() for row in rows)]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    done = [row for row in rows if row.snn and row.ann is not None]
    close = sum(row.snn[-1] >= row.ann - 0.01 for row in done if row.ann is not None)
    refused = sum(bool(row.refused) for row in rows)
    end = f"{close} of {len(done)} within 1 point of the ANN at T = {STEPS[-1]}; {refused} of {len(rows)} refused."
    return f"{text}\n\n{end}"


def load_zoo(folder: Path) -> ModuleType:
    """The ``zoo.py`` of a folder as a module."""
    spec = importlib.util.spec_from_file_location("model_zoo", folder / "zoo.py")
    if spec is None or spec.loader is None or not (folder / "zoo.py").is_file():
        sys.exit(f"there is no zoo.py in '{folder}'; name its folder by --zoo or in SNNTOOLBOX_ZOO")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the arguments ask for; 1 where anything failed (a refusal is no failure)."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--zoo", type=Path, default=os.environ.get("SNNTOOLBOX_ZOO"), help="folder with a zoo.py")
    parser.add_argument("--models", help="only names that contain one of these, separated by commas")
    parser.add_argument("--samples", type=int, help="test samples per model (default: all)")
    parser.add_argument("--threads", type=int, help="threads of torch (default: its own)")
    parser.add_argument("-o", "--output", type=Path, help="also write the table to this file")
    options = parser.parse_args(arguments)
    if options.zoo is None:
        parser.error("no zoo: give --zoo FOLDER or set SNNTOOLBOX_ZOO")
    if options.threads:
        import torch

        torch.set_num_threads(options.threads)
    zoo = load_zoo(Path(options.zoo))
    wanted = [w for w in (options.models or "").split(",") if w]
    names = [m for m in zoo.models() if not wanted or any(w in m for w in wanted)]
    rows: list[Row] = []
    for i, name in enumerate(names, 1):
        rows.append(measure(zoo, name, options.samples))
        print(f"[{i}/{len(names)}] {' | '.join(rows[-1].cells())}", flush=True)
    print(f"\n{table(rows)}")
    if options.output:
        options.output.write_text(table(rows) + "\n")
    return int(any(row.refused.startswith("FAILED") for row in rows))


if __name__ == "__main__":
    sys.exit(main())
