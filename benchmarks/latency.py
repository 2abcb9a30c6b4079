"""Accuracy after few time steps: recipes, schedules and neurons against each other on real models.

    SNNTOOLBOX_ZOO=FOLDER python benchmarks/latency.py --threads 1 --cache cells.jsonl -o tables.md
    python benchmarks/latency.py --zoo FOLDER --models resnet20 --rows default,toolbox --steps 8,16 --samples 200
    python benchmarks/latency.py --models digits --quick

Prints a table per model: for each row of `latency_rows.py` the agreement with the original's predictions and the
accuracy, both in per cent, after T = 1, 2, ... 128 steps. Where a recipe depends on T, each T is a conversion and a run
of its own; else one run gives all. A phased network's T is the length of its windows. The models are the package's
demo (digits) and those of FOLDER, see ``zoo.py`` beside. With ``--cache`` a run that was interrupted goes on.
``--verdict`` says at the end on how many models the default is no worse than the fixed recipes, by paired differences.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from latency_cells import Bench, Cache, Cell, Model, cell_of, measured
from latency_rows import ESSENTIAL, LONG, MODELS, QUICK, ROWS, STEPS, limits_of
from latency_verdict import lag, losses
from latency_verdict import verdict as verdict_of_all
from zoo import load_zoo

os.environ.setdefault("KERAS_BACKEND", "torch")  # before anything imports Keras

QUICK_SAMPLES = 100


def digits(samples: int | None) -> Model:
    """The network that ships with the package."""
    import snntoolbox as stb
    from snntoolbox.workflow import demo

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


Cells = Mapping[str, Mapping[int, Cell]]
"""By row, then by number of steps."""


def table(model: Model, cells: Cells, steps: Sequence[int]) -> str:
    """The model's table in Markdown, and what is to be said beneath it."""
    counts = sorted({c.samples for row in cells.values() for c in row.values()}, reverse=True)
    whole = counts[0] if counts else len(model.x)
    heads = [f"{100 * model.accuracy(n):.1f} % of {n} samples" for n in counts]
    text = f"{model.name}: ANN {', '.join(heads)}. Agreement / accuracy, %."
    lines = [["recipe", *(f"T = {t}" for t in steps), "s"], ["---", *("--:" for _ in steps), "--:"]]
    for row, found in cells.items():
        shares = [_shares(found.get(t), whole) for t in steps]
        seconds = sum(c.converting + c.running for c in found.values())
        lines.append([row, *shares, f"{seconds:.0f}"])
    fewer = [f"*: on the first {n}" for n in counts[1:]]
    told: dict[str, list[int]] = {}
    for row, found in cells.items():
        for t, cell in found.items():
            if cell.told:
                told.setdefault(f"{row}: {cell.told}", []).append(t)
    remarks = "\n".join(f"- {line} (T = {', '.join(map(str, ts))})" for line, ts in told.items())
    drawn = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return "\n\n".join(filter(None, [text, drawn, "; ".join(fewer), remarks]))


def _shares(cell: Cell | None, whole: int) -> str:
    if cell is None:
        return ""
    return f"{100 * cell.agreement:.1f} / {100 * cell.accuracy:.1f}{'' if cell.samples == whole else '*'}"


def verdict(cells: Cells, steps: Sequence[int]) -> str:
    """How far the default lies behind the best other row of plain neurons that fire all the time, in points."""
    plain = [r for r in cells if r != "default" and ROWS[r].plain]
    parts = []
    for t in steps:
        others = [cells[r][t] for r in plain if t in cells[r]]
        if own := cells.get("default", {}).get(t):
            same = [o.agreement for o in others if o.samples == own.samples]
            parts += [f"T = {t}: {100 * (own.agreement - max(same)):+.1f}"] if same else []
    text = "Default against the best other row of plain neurons, points of agreement: "
    return text + ", ".join(parts) if parts else ""


def lost(model: Model, cells: Cells, steps: Sequence[int]) -> str:
    """The accuracy that the default lacks to the original's, in points, with the standard error of the difference."""
    original = cell_of(model, model.classes, 0.0, 0.0)
    own = {t: c for t in steps if (c := cells.get("default", {}).get(t)) and c.right}
    found = {t: lag(model.name, "the original", c, original) for t, c in own.items()}
    text = "Accuracy that the default loses, points: "
    return text + ", ".join(f"T = {t}: {one.points:.2f} ± {one.error:.2f}" for t, one in found.items()) if found else ""


def models(options: argparse.Namespace) -> list[Any]:
    """A function for each wanted model that loads it, in the order they are wanted in."""
    zoo = load_zoo(Path(options.zoo)) if options.zoo else None
    found: dict[str, Any] = {}
    for wanted in filter(None, options.models.split(",")):
        if wanted in "digits":
            found["digits"] = lambda: digits(options.samples)
        for name in [] if zoo is None else [m for m in zoo.models() if wanted in m]:
            count = options.samples or limits_of(name).samples
            found.setdefault(name, lambda n=name, count=count: of_zoo(zoo, n, count, options.calibration))
    return list(found.values())


def compared(model: Model, options: argparse.Namespace, steps: Sequence[int], cache: Cache) -> tuple[str, Cells]:
    """The model's table and its cells; of several rows those that the model refuses are told and left out."""
    from snntoolbox.errors import ConversionError

    limits = replace(limits_of(model.name), start=options.long_from)
    if options.long_samples:
        limits = replace(limits, long=options.long_samples)
    bench = Bench(model, limits, options.device)
    rows = options.rows.split(",") if options.rows else list((ESSENTIAL if options.quick else limits.rows) or ROWS)
    cells: dict[str, Mapping[int, Cell]] = {}
    for row in rows:
        try:
            cells[row] = measured(bench, row, ROWS[row], steps, cache)
        except ConversionError as error:
            if len(rows) == 1:
                raise
            print(f"{model.name} {row}: refused: {' '.join(str(error).split())}", flush=True)
    said = [table(model, cells, steps), verdict(cells, steps), lost(model, cells, steps)]
    return "\n\n".join(filter(None, said)), cells


def parser() -> argparse.ArgumentParser:
    """The options."""
    found = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = found.add_argument
    add("--zoo", type=Path, default=os.environ.get("SNNTOOLBOX_ZOO"), help="folder with a zoo.py")
    add("--models", default=",".join(MODELS), help="names with one of these in it (%(default)s)")
    add("--rows", help=f"recipes, of {','.join(ROWS)}; default: all, for MNIST {','.join(ESSENTIAL)}")
    add("--steps", help=f"numbers of steps (default: {','.join(map(str, STEPS))})")
    add("--samples", type=int, help="test samples per model (default: all, 1000 of MNIST)")
    add("--long-samples", type=int, help="test samples for many steps (default: see latency_rows.py)")
    add("--long-from", type=int, default=LONG, help="the number of steps from which on they are taken (%(default)s)")
    add("--calibration", type=int, help="calibration samples per model (default: all)")
    add("--quick", action="store_true", help=f"{QUICK_SAMPLES} samples, up to {QUICK[-1]} steps, rows as for MNIST")
    add("--verdict", action="store_true", help="at the end, on how many models the default keeps up with fixed recipes")
    add("--losses", help="rows of which, at the end, a table says what they lose of the originals' accuracy")
    add("--cache", type=Path, help="file that keeps every figure, so that an interrupted run goes on")
    add("--threads", type=int, help="threads of torch (default: its own)")
    add("--device", default="cpu", help="where networks run: cpu, cuda")
    add("-o", "--output", type=Path, help="also write the tables to this file")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the arguments ask for."""
    asked = parser()
    options = asked.parse_args(arguments)
    if options.threads:
        import torch

        torch.set_num_threads(options.threads)
    steps = [int(t) for t in options.steps.split(",")] if options.steps else list(QUICK if options.quick else STEPS)
    options.samples = options.samples or (QUICK_SAMPLES if options.quick else None)
    if unknown := [r for r in (options.rows or "").split(",") if r and r not in ROWS]:
        asked.error(f"no such row: {', '.join(unknown)}; there are {', '.join(ROWS)}")
    cache, texts, of_models, originals = Cache(options.cache), list[str](), dict[str, Cells](), dict[str, Cell]()
    for load in models(options):
        import snntoolbox as stb

        try:
            model = load()
            text, of_models[model.name] = compared(model, options, steps, cache)
            originals[model.name] = cell_of(model, model.classes, 0.0, 0.0)
        except stb.SNNToolboxError as error:
            print(f"refused: {' '.join(str(error).split())}", flush=True)
            continue
        texts.append(text)
        print(f"\n{texts[-1]}\n", flush=True)
        if options.output:
            options.output.write_text("\n\n".join(texts) + "\n")
    for row in options.losses.split(",") if options.losses else ():
        print(f"\n{losses(of_models, originals, row, steps)}", flush=True)
    if options.verdict:
        print(verdict_of_all(of_models, steps), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
