"""Sets every key of the SNN Toolbox to another value, and prints what came of it: a figure that moved, or the refusal.

    python benchmarks/toolbox_keys.py
    python benchmarks/toolbox_keys.py --only cell,simulation.dt

Each key is held against a run without it, on a small network made here. It *works* if a figure of the report, a file
or what is printed differs; it is *refused* with a reason; or a warning says that it has *no effect*. Any other is
*ignored*: then the exit code is 1. docs/migrating.md says the same in words.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import math
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from snntoolbox.workflow.cli import main as command

ECHOES = {"model", "simulator", "duration", "dt", "batch_size", "seed", "top_k", "seconds", "versions", "warnings"}
"""Parts of a report that repeat settings, or differ from run to run."""

FIRST = ("snn_accuracy", "spikes_per_layer", "ann_accuracy", "synaptic_operations", "samples", "neurons_per_layer")
"""The figures that are shown, if they moved; else any other."""

SHOWN = 90
"""Letters of an outcome."""


@dataclass(frozen=True)
class Case:
    """Another value than the default, and what stands beside it here and in the run that it is held against.

    `needs` stands beside it here alone; with `again` it runs over the results of the other run. With `stops` that is
    what it is for: to end with a reason, and leave those results as they are.
    """

    value: str
    beside: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    again: bool = False
    stops: bool = False


_IMAGES = ("input.dataset_format=png", "input.datagen_kwargs={'rescale': 1./255, 'data_format': 'channels_first'}")
_DARK = "input.datagen_kwargs={'rescale': 1./510, 'data_format': 'channels_first'}"
_GREY = (*_IMAGES, "input.dataflow_kwargs={'color_mode': 'grayscale'}")
_EVENTS = ("input.dataset_format=aedat", "input.chip_size=(6, 6)", "input.datagen_kwargs={{'rescale': 0.25}}")
_TABLE = "paths.filepath_custom_objects=objects.json"
_SWEEP = ("parameter_sweep.param_values=[2, 8]", "parameter_sweep.param_name=simulation.duration")
_OFTEN = ("normalization.timestep_fraction=4", "normalization.percentile=100")
_ONLINE = ("normalization.online_normalization=True", *_OFTEN)
_NEST = ("simulation.simulator=nest",)

CASES: Mapping[str, Case] = {
    "paths.path_wd": Case("elsewhere", ("paths.dataset_path={here}",)),
    "paths.dataset_path": Case("elsewhere"),
    "paths.log_dir_of_current_run": Case("results"),
    "paths.runlabel": Case("another"),
    "paths.filename_ann": Case("other"),
    "paths.filename_parsed_model": Case("graph"),
    "paths.filename_snn": Case("spiking"),
    "paths.filename_clamp_indices": Case("clamp.json"),
    "paths.filepath_custom_objects": Case("lower.json", ("paths.filename_ann=custom", _TABLE)),
    "paths.class_idx_path": Case("classes.json", _GREY),
    "input.model_lib": Case("keras", ("paths.filename_ann=both", "input.model_lib=onnx")),
    "input.dataset_format": Case("png", needs=(_DARK, _GREY[-1])),
    "input.datagen_kwargs": Case("{'rescale': 1./510, 'data_format': 'channels_first'}", _GREY),
    "input.dataflow_kwargs": Case("{'color_mode': 'grayscale', 'classes': ['2', '1', '0']}", _GREY),
    "input.poisson_input": Case("True"),
    "input.input_rate": Case("500", ("input.poisson_input=True",)),
    "input.num_poisson_events_per_sample": Case("20", ("input.poisson_input=True",)),
    "input.num_dvs_events_per_sample": Case("20", _EVENTS),
    "input.eventframe_width": Case("5", _EVENTS),
    "input.label_dict": Case("{'0': 2, '1': 1, '2': 0}", _EVENTS),
    "input.chip_size": Case("(12, 12)", (_EVENTS[0], _EVENTS[2])),
    "input.frame_gen_method": Case("signed_sum", _EVENTS),
    "input.is_x_first": Case("True", _EVENTS),
    "input.is_x_flipped": Case("True", _EVENTS),
    "input.is_y_flipped": Case("True", _EVENTS),
    "input.maxpool_subsampling": Case("False", _EVENTS),
    "input.do_clip_three_sigma": Case("False", _EVENTS),
    "input.keras_dataset": Case("mnist", needs=("input.datagen_kwargs={'rescale': 1./510}",)),
    "input.max_num_input_spikes": Case("60"),
    "tools.evaluate_ann": Case("False"),
    "tools.parse": Case("False", ("tools.evaluate_ann=False",), again=True),
    "tools.normalize": Case("False"),
    "tools.convert": Case("False", again=True),
    "tools.simulate": Case("False"),
    "tools.serialise_only": Case("True"),
    "normalization.percentile": Case("90"),
    "normalization.num_samples": Case("2"),
    "normalization.normalization_schedule": Case("True", ("normalization.percentile=90",)),
    "normalization.online_normalization": Case("True", _OFTEN),
    "normalization.diff_to_max_rate": Case("900", _ONLINE),
    "normalization.diff_to_min_rate": Case("900", _ONLINE),
    "normalization.timestep_fraction": Case("2", _ONLINE),
    "conversion.softmax_to_relu": Case("True"),
    "conversion.append_softmax": Case("True"),
    "conversion.maxpool_type": Case("fir_max"),
    "conversion.maxpool_type (old spikes)": Case("exp_max"),
    "conversion.maxpool_type (mean rate)": Case("avg_max"),
    "conversion.maxpool_type (winners)": Case("wta"),
    "conversion.max2avg_pool": Case("True"),
    "conversion.spike_code": Case("ttfs"),
    "conversion.spike_code of digits": Case("temporal_pattern"),
    "conversion.num_bits": Case("2", ("conversion.spike_code=temporal_pattern",)),
    "simulation.simulator": Case("brian2"),
    "simulation.duration": Case("4"),
    "simulation.dt": Case("0.5"),
    "simulation.batch_size": Case("4", ("output.log_vars={{'input_b_l_t'}}",)),
    "simulation.num_to_test": Case("7"),
    "simulation.sample_idxs_to_test": Case("range(1, 4)"),
    "simulation.reset_between_nth_sample": Case("2"),
    "simulation.top_k": Case("2"),
    "simulation.keras_backend": Case("theano"),
    "simulation.early_stopping": Case("True"),
    "spinnaker.number_of_neurons_per_core": Case("128"),
    "cell.v_thresh": Case("2"),
    "cell.v_thresh with reset to zero": Case("2", ("cell.reset=Reset to zero", "cell.v_reset=-0.5")),
    "cell.tau_refrac": Case("3"),
    "cell.v_reset": Case("-0.5", ("cell.reset=Reset to zero",)),
    "cell.v_rest": Case("-65"),
    "cell.v_rest with reset to zero": Case("-1", ("cell.reset=Reset to zero",)),
    "cell.i_offset": Case("0.1"),
    "cell.cm": Case("0.09"),
    "cell.cm with a current": Case("0.5", ("cell.i_offset=0.1",)),
    "cell.tau_m": Case("5", ("cell.leak=True",)),
    "cell.tau_syn_E": Case("5"),
    "cell.tau_syn_I": Case("5"),
    "cell.e_rev_E": Case("0"),
    "cell.e_rev_I": Case("0"),
    "cell.delay": Case("2"),
    "cell.delay on NEST": Case("2", _NEST),
    "cell.binarize_weights": Case("True"),
    "cell.quantize_weights": Case("True"),
    "cell.scaling_factor": Case("10", ("cell.quantize_weights=True",)),
    "cell.payloads": Case("True"),
    "cell.reset": Case("Reset to zero"),
    "cell.leak": Case("True", ("cell.tau_m=5",)),
    "cell.bias_relaxation": Case("True"),
    "parameter_sweep.param_values": Case("[4, 8]", _SWEEP[1:]),
    "parameter_sweep.param_name": Case("normalization.percentile", _SWEEP),
    "parameter_sweep.param_logscale": Case("True", _SWEEP),
    "output.log_vars": Case("{'spiketrains_n_b_l_t'}"),
    "output.plot_vars": Case("{'error_t'}"),
    "output.verbose": Case("2"),
    "output.overwrite": Case("False", again=True, stops=True),
    "output.use_simple_labels": Case("False", ("output.plot_vars={'spiketrains'}",)),
    "output.plotproperties": Case("{'savefig.format': 'svg'}", ("output.plot_vars={'error_t'}",)),
    "restrictions.snn_layers": Case("{'Dense'} | {'Conv2D'}"),
    **{
        f"loihi.{name}": Case("1")
        for name in (
            *("reset_mode", "desired_threshold_to_input_ratio", "compartment_kwargs", "connection_kwargs", "node"),
            *("validate_partitions", "save_output", "do_overflow_estimate", "normalize_thresholds", "partition"),
            "profile_performance",
        )
    },
}
"""Every key that the toolbox's defaults and documentation have. Behind a blank: the same key beside other settings."""

COMMON = (
    *("paths.filename_ann=net", "simulation.duration=8", "simulation.num_to_test=-1", "simulation.batch_size=6"),
    *("conversion.layer_correction=none", "conversion.readout_correction=0", "output.diagnosis=False"),
)


@dataclass(frozen=True)
class Ran:
    """What a run left: its exit code, the figures of report and files, and what it said."""

    code: int
    figures: Mapping[str, Any] = field(default_factory=dict)
    said: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of a key: `kind` is works, refused, no effect or ignored."""

    kind: str
    what: str


def outcome(key: str, folder: Path) -> Outcome:
    """What became of a key's other value in a folder that `prepare` has filled."""
    case, name = CASES[key], key.partition(" ")[0]
    beside = [text.replace("{{", "{").replace("}}", "}").replace("{here}", str(folder)) for text in case.beside]
    before = run(folder, beside)
    after = run(folder, [*beside, *case.needs, f"{name}={case.value}"], again=case.again)
    if before.code:
        return Outcome("not run", before.said)
    if case.stops:
        kept = after.code and before.figures == dict(_figures(folder)) and "overwrite" in after.said
        return Outcome("works" if kept else "ignored", f"exit code: {before.code} -> {after.code}, files as before")
    if after.code:
        return Outcome("refused", next((line for line in after.said.splitlines() if name in line), after.said))
    if told := [text for text in after.figures["told"] if name in text]:
        return Outcome("no effect", told[0])
    moved = {k: v for k, v in after.figures.items() if k != "told" and not _same(before.figures.get(k), v)}
    gone = [k for k in before.figures if k not in after.figures]
    shown = min(moved, key=_rank, default=None)
    if shown is not None:
        return Outcome("works", f"{shown}: {_short(before.figures.get(shown, '-'))} -> {_short(moved[shown])}")
    if gone:
        return Outcome("works", f"{gone[0]}: {_short(before.figures[gone[0]])} -> -")
    return Outcome("works", "what is printed differs") if before.said != after.said else Outcome("ignored", "")


def run(folder: Path, sets: Sequence[str], *, again: bool = False) -> Ran:
    """One run in a clean folder, or `again` over the results of the last one."""
    if not again:
        for place in (folder / "log", folder / "results", folder / "elsewhere" / "log"):
            shutil.rmtree(place, ignore_errors=True)
    config = folder / "config.ini"
    config.write_text("[paths]\n")
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        code = command([str(config), *(part for text in (*COMMON, *sets) for part in ("--set", text))])
    return Ran(code, dict(_figures(folder)), said.getvalue().replace(str(folder), "."))


def _figures(folder: Path) -> Iterator[tuple[str, Any]]:
    told = []
    for path in sorted([*folder.glob("**/log/**/*"), *folder.glob("results/**/*")]):
        name = path.relative_to(folder).as_posix()
        if path.name == "report.json":
            report = json.loads(path.read_text())
            told += report["warnings"]
            yield from ((k, v) for k, v in report.items() if k not in ECHOES)
        if path.is_file() and path.name not in ("report.json", "config.ini", "sweep.json", ".snntoolbox"):
            exact = path.suffix == ".png"  # pictures are the same byte for byte, archives hold times
            yield f"file {name}", hashlib.sha256(path.read_bytes()).hexdigest()[:8] if exact else "there"
        if path.name == "sweep.json":
            yield "points", [[p["value"], p["snn_accuracy"]] for p in json.loads(path.read_text())["points"]]
    yield "told", told


def _same(before: Any, after: Any) -> bool:
    """Whether figures are equal, numbers to the rounding of other batches."""
    if isinstance(before, dict) and isinstance(after, dict):
        return before.keys() == after.keys() and all(_same(before[k], after[k]) for k in after)
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(_same, before, after))
    number = isinstance(before, float) and isinstance(after, float)
    return math.isclose(before, after, rel_tol=1e-5, abs_tol=1e-9) if number else bool(before == after)


def _rank(name: str) -> tuple[bool, int, str]:
    return (name not in FIRST, FIRST.index(name) if name in FIRST else 0, name)


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict) and value and isinstance(next(iter(value.values())), (int, float)):
        return f"{sum(value.values()):.4g} in all"
    return str(value)


# -- the network and its data ---------------------------------------------------------------------------------------


def prepare(folder: Path) -> None:
    """Two small networks with max pooling and a softmax, and their data as arrays and as images."""
    from PIL import Image

    from snntoolbox.frontends.keras.runtime import import_keras

    rng, classes = np.random.default_rng(0), np.resize([0, 1, 1, 2, 1, 1], 24)
    x = rng.integers(0, 256, (24, 1, 6, 6)).astype(np.float32)
    for name, seed in {"net": 1, "other": 2}.items():
        _save_network(folder / f"{name}.onnx", seed)
    _save_network(folder / "both.onnx", 1)
    _save_keras(folder / "both.keras", folder / "custom.keras")
    for name, bound in {"objects": 6.0, "lower": 0.5}.items():
        (folder / f"{name}.json").write_text(json.dumps({"LimitedReLU": {"max_value": bound}}))
    shutil.copytree(folder, folder / "elsewhere", ignore=shutil.ignore_patterns("elsewhere"))
    for place, samples in {folder: x, folder / "elsewhere": x[:12]}.items():
        np.savez(place / "x_test.npz", samples / 255)
        np.savez(place / "y_test.npz", classes[: len(samples)])
        np.savez(place / "x_norm.npz", x / 255)
    held = x[:, 0].astype(np.uint8), classes
    import_keras().datasets.mnist.load_data = lambda: (held, held)  # stands for the cache: nothing is downloaded here
    for i, sample in enumerate(x[:, 0]):
        target = folder / "x_test" / str(classes[i])
        target.mkdir(parents=True, exist_ok=True)
        Image.fromarray(sample.astype(np.uint8)).save(target / f"{i:02}.png")
        (target / f"{i:02}.bin").write_bytes(_recording(rng))
    (folder / "clamp.json").write_text(json.dumps({"0": 3}))
    (folder / "classes.json").write_text(json.dumps({"0": ["1"], "1": ["2"], "2": ["0"]}))


def _recording(rng: np.random.Generator) -> bytes:
    """A recording in the format of N-MNIST: 5 bytes an event; some are alike."""
    t, pixels = np.cumsum(rng.integers(0, 20, 60)), rng.integers(0, 6, (60, 2)) // rng.integers(1, 3, (60, 2))
    rows = zip(t.tolist(), pixels.tolist(), rng.integers(0, 2, 60).tolist(), strict=True)
    return b"".join(bytes((x, y, on << 7, time >> 8, time & 255)) * (1 + time % 2) for time, (x, y), on in rows)


def _save_network(path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = {
        "kernel": rng.normal(size=(4, 1, 3, 3)).astype(np.float32),
        "shift": rng.normal(size=4).astype(np.float32) / 4,
        "matrix": rng.normal(size=(16, 3)).astype(np.float32),
        "offset": np.full(3, 0.1, np.float32),
    }
    weights["matrix"] -= weights["matrix"].mean(axis=0)  # else one class is likelier whatever the input
    nodes = [
        helper.make_node("Conv", ["x", "kernel", "shift"], ["c"], name="conv"),
        helper.make_node("Relu", ["c"], ["r"], name="relu"),
        helper.make_node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2], name="pool"),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "matrix", "offset"], ["g"], name="dense"),
        helper.make_node("Softmax", ["g"], ["y"], axis=1),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, 6, 6])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])]
    constants = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "small", inputs, outputs, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def _save_keras(path: Path, custom: Path) -> None:
    """A model, and one that has a layer of its own in the place of its rectifier."""
    from snntoolbox.frontends.keras.runtime import import_keras

    keras = import_keras()
    keras.utils.set_random_seed(3)
    layers = keras.layers
    shape = (1, 6, 6)
    model = keras.Sequential([layers.Input(shape), layers.Flatten(), layers.Dense(8, "relu"), layers.Dense(3)])
    model.save(path)
    limited = type("LimitedReLU", (layers.ReLU,), {})
    own = [layers.Input(shape), layers.Flatten(), layers.Dense(8), limited(6.0), layers.Dense(3)]
    keras.Sequential(own).save(custom)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 if a key was accepted and ignored, or could not be tried."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--only", default="", help="keys that begin so, separated by commas")
    begins = tuple(options.parse_args(arguments).only.split(","))
    wrong = 0
    print(f"{'key':36} {'value':24} {'outcome':9}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        prepare(folder)
        for key in CASES:
            if key.startswith(begins):
                became = outcome(key, folder)
                wrong += became.kind in ("ignored", "not run")
                text = " ".join(became.what.split())
                print(f"{key:36} {CASES[key].value[:24]:24} {became.kind:9} {text[:SHOWN]}", flush=True)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
