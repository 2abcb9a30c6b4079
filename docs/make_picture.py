"""Draw the picture of README.md, docs/images/demo.png, from runs of the demo: python docs/make_picture.py."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import snntoolbox as stb
from snntoolbox.workflow import demo
from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.stories.run import FinishedRun, run

STEPS = 64
TARGET = Path(__file__).resolve().parent / "images" / "demo.png"
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#444444"
LABELS = {"relu1": "conv 1", "relu2": "conv 2", "relu3": "conv 3", "relu4": "dense"}
RECIPES = {"default": "default", "rueckauer2017": "rueckauer2017"}


def main() -> None:
    """Run the demo with two recipes and draw error over time, a sample and its spikes."""
    from matplotlib.figure import Figure

    runs = {recipe: run_demo(recipe) for recipe in RECIPES}
    network = runs["default"].network
    assert network is not None
    sample = np.load(demo.folder() / "x_test.npz")["arr_0"][:1]
    result = network.run(sample, duration=STEPS, record=stb.Record(spikes=True))

    figure = Figure(figsize=(9.6, 3.4), layout="constrained", facecolor="white")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.25))
    draw_error(left, runs)
    draw_raster(right, sample[0], result)
    figure.savefig(TARGET, dpi=110)


def run_demo(recipe: str) -> FinishedRun:
    """The finished run of the demo with a recipe."""
    with tempfile.TemporaryDirectory() as folder:
        changes = [f"conversion.recipe={recipe}", f"simulation.duration={STEPS}"]
        return run(load_config(demo.copy_to(folder), changes))


def draw_error(axes: Any, runs: dict[str, FinishedRun]) -> None:
    """Error in percent after each step, on a logarithmic time axis."""
    for (recipe, finished), colour in zip(runs.items(), (BLUE, ORANGE), strict=True):
        error = 100 * (1 - np.asarray(finished.report["snn_accuracy_per_step"]))
        axes.plot(np.arange(1, STEPS + 1), error, color=colour, linewidth=1.8, label=RECIPES[recipe])
    analogue = 100 * (1 - runs["default"].report["ann_accuracy"])
    axes.axhline(analogue, color=GREY, linewidth=1, linestyle="--", label="(original network)")
    axes.set_xscale("log", base=2)
    axes.set_xticks([1, 2, 4, 8, 16, 32, 64], labels=["1", "2", "4", "8", "16", "32", "64"])
    axes.set(xlabel="time steps", ylabel="error on 500 test digits (%)", xlim=(1, STEPS), ylim=(0, 100))
    axes.legend(frameon=False, loc="upper right", title="recipe", fontsize=9)
    axes.grid(color="#DDDDDD", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def draw_raster(axes: Any, image: np.ndarray, result: stb.Result) -> None:
    """The spikes of one digit, layer above layer, and the digit."""
    height, ticks = 0, {}
    for name, label in LABELS.items():
        train = result.spikes[name][:, 0].reshape(STEPS, -1)
        shown = train[:, :: max(1, train.shape[1] // 128)]
        time, neuron = np.nonzero(shown)
        axes.scatter(time + 1, neuron + height, s=1.5, color=BLUE, linewidths=0)
        ticks[height + shown.shape[1] / 2] = label
        height += shown.shape[1]
        axes.axhline(height, color="#DDDDDD", linewidth=0.8)
    axes.set(xlabel="time steps", xlim=(0, STEPS + 1), ylim=(0, height))
    axes.set_yticks(list(ticks), labels=list(ticks.values()))
    axes.tick_params(axis="y", length=0)
    axes.set_title(f"spikes of up to 128 neurons per layer for this digit, read as {result.predictions[0]}", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    corner = axes.inset_axes((1.02, 0.72, 0.16, 0.28))
    corner.imshow(image, cmap="gray_r")
    corner.set(xticks=[], yticks=[])


if __name__ == "__main__":
    main()
