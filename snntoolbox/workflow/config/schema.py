"""The table of every configuration key: its default, meaning and allowed values; one field of its section each.

Parsing, validation, the commented configuration and the documentation come from it, the recipe of a conversion and the
options of a simulator too. The sections about the spiking network itself are in `conversion_keys`, that about data in
`input_keys`, those of single simulators in `simulator_keys`, known keys that are not available in `refusals`.
"""

# ruff: noqa: RUF009  (key() makes a dataclass field, not a value)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_type_hints

from snntoolbox.workflow.config.cell_keys import Cell
from snntoolbox.workflow.config.clamps import clamps_of
from snntoolbox.workflow.config.conversion_keys import PATTERN, Conversion, Normalization, bits_sent
from snntoolbox.workflow.config.input_keys import Input
from snntoolbox.workflow.config.key import POSITIVE, Key, at_least, between, exactly, key, key_of
from snntoolbox.workflow.config.simulator_keys import Lava, Spinnaker

MODEL_SUFFIXES = (".keras", ".h5", ".hdf5", ".json", ".onnx", ".pt2", ".py", ".pth", ".pkl", ".pt")
"""File endings that may be written after ``filename_ann``; names made from it drop them."""

EARLY_STOPPING = 0.99
"""The share of predictions that early_stopping keeps."""

_MEGASIM_REFUSED = (
    "needs a program that is not publicly available; use simulator = INI, and for its files "
    "`snntoolbox export CONFIG --to megasim -o FOLDER`"
)
_SIMULATORS_REFUSED = {
    "loihi": "needs Intel's closed NxSDK, which is not supported; use simulator = sanafe, a model of the chip, or lava",
    "MegaSim": _MEGASIM_REFUSED,
    "megasim": _MEGASIM_REFUSED,
}
SIMULATOR_ALIASES = {"brian": "pynn.brian2", "neuron": "pynn.neuron", "spiNNaker": "pynn.spiNNaker"}
"""The toolbox's names of simulators that it reached through PyNN; its nest is ours without PyNN, spike for spike."""
AUTO, TOOLBOX_BACKEND = "auto", "tensorflow"
"""What Keras chooses itself, and the default of the toolbox."""
_NO_SWEEP = "there are no param_values"


def _no_chip(settings: Settings) -> str:
    """Why there is no model of a chip, if so."""
    simulator = settings.simulation.simulator
    return "" if simulator == "sanafe" else f"simulator = {simulator}"


def _no_duration(settings: Settings) -> str:
    """Why a run has another duration, if so."""
    chosen, simulation = settings.conversion, settings.simulation
    if chosen.spike_code != PATTERN or simulation.duration == bits_sent(settings) * simulation.dt:
        return ""
    return f"spike_code = {PATTERN} has a step for each of num_bits digits"


def _no_run(settings: Settings) -> str:
    """Why nothing is simulated, if so."""
    if settings.tools.serialise_only:
        return "tools.serialise_only = True"
    return "" if settings.tools.simulate else "tools.simulate = False"


@dataclass(frozen=True)
class Paths:
    """Where files are read and written; relative paths start at path_wd."""

    path_wd: Path = key(
        Path(),
        "Working folder, where the model is read; relative to the folder of the configuration file.",
        derived="the folder of the configuration file",
    )
    dataset_path: Path = key(
        Path(),
        "Folder of the data set: x_test, y_test and x_norm (.npz or .npy), or images or recordings by class.",
        derived="path_wd",
    )
    runlabel: str = key("test", "Name of this run; its results go to a folder of that name.")
    log_dir_of_current_run: Path = key(
        Path(), "Folder for the report, plots and logged variables of this run.", derived="path_wd/log/runlabel"
    )
    filename_ann: str = key("", "Name of the model file, with or without its suffix. Required when parse = True.")
    filename_parsed_model: str = key(
        "",
        "Name of the parsed network, written after parsing and read when parse = False.",
        derived="filename_ann (no suffix) + _parsed",
    )
    filename_snn: str = key(
        "",
        "Name of the spiking network, written after conversion and read when convert = False.",
        derived="filename_ann (no suffix) + _ + simulator",
    )
    filepath_custom_objects: Path | None = key(
        None,
        "Models of Keras: JSON file that says which layer or activation of Keras each custom object is, such as "
        '{"MyReLU": {"class_name": "ReLU", "config": {"max_value": 6}}, "my_swish": "silu"}. Code is not run.',
        derived="custom objects are refused",
    )
    filename_clamp_indices: Path | None = key(
        None,
        'JSON file {"0": 5, "conv2": 10} of layers, by place or name, and ms for which their potentials are held.',
        recipe="clamps",
        value=clamps_of,
        derived="no layer is held",
    )
    class_idx_path: Path | None = key(
        None,
        'JSON file {"0": ["name", ...], ...} that numbers the class folders of images or recordings.',
        derived="class folders are numbered in sorted order",
    )


@dataclass(frozen=True)
class Tools:
    """Which stages of the workflow run."""

    evaluate_ann: bool = key(True, "Measure the accuracy of the model before conversion.", also=("evaluateANN",))
    parse: bool = key(True, "Read the model; if False, the network saved as filename_parsed_model is loaded.")
    normalize: bool = key(
        True,
        "Set thresholds by the activations on x_norm, or by the weights if there is no x_norm. "
        "If False, every spike stands for an activation of 1.",
        recipe="normalize",
    )
    convert: bool = key(True, "Convert to a spiking network; if False, the one saved as filename_snn is loaded.")
    simulate: bool = key(True, "Run the spiking network on the test set.")
    serialise_only: bool = key(
        False,
        "Convert for the simulator, write the network as filename_snn.npz, which convert = False reads again, and end.",
        also=("serialize_only",),
        idle=lambda settings: "" if settings.tools.convert else "tools.convert = False, so that there is none to write",
    )


@dataclass(frozen=True)
class Simulation:
    """How long, on what and on which samples the network runs."""

    simulator: str = key(
        "INI",
        "Simulator; INI is the built-in one. The toolbox's brian, neuron and spiNNaker are pynn.brian2, pynn.neuron "
        "and pynn.spiNNaker.",
        choices=(
            *("INI", "brian2", "lava", "nest", "pynn.brian2", "pynn.nest", "pynn.neuron", "pynn.spiNNaker"),
            *("sanafe", "verilog"),
        ),
        aliases=SIMULATOR_ALIASES,
        plugins="snntoolbox.backends",
        refused=_SIMULATORS_REFUSED,
    )
    duration: int = key(
        200,
        "Simulated time per sample in ms.",
        rule=at_least(1),
        suggested=128,
        idle=lambda settings: _no_duration(settings),
    )
    dt: float = key(
        1.0,
        "Time step in ms. At rates, steps below 1 ms solve the same neurons more finely, with about as many spikes in "
        "the same duration; longer ones hold one spike each. In other schedules a step is one, whatever its length.",
        rule=POSITIVE,
        recipe="dt",
    )
    batch_size: int = key(1, "Number of samples simulated at once.", rule=at_least(1), suggested=32)
    num_to_test: int = key(
        1,
        "Number of test samples; -1 is all.",
        rule=exactly(-1, "all") | at_least(1),
        suggested=-1,
        idle=lambda settings: "sample_idxs_to_test says which" if settings.simulation.sample_idxs_to_test else "",
    )
    sample_idxs_to_test: tuple[int, ...] = key(
        (), "Indices of the test samples to run, counted from 0; if given, num_to_test is not used."
    )
    reset_between_nth_sample: int = key(
        1,
        "Reset potentials before every n-th test sample; -1: before the first alone. So samples in a row may be frames "
        "of a film, which neurons see one after the other. At rates.",
        rule=exactly(-1, "never again") | at_least(1),
        idle=lambda settings: _no_run(settings),
    )
    top_k: int = key(
        1, "Report a top-k accuracy too, in which a sample counts if its class is among the k best.", rule=at_least(1)
    )
    keras_backend: str = key(
        AUTO,
        "What Keras computes a model's own outputs with. auto: what the environment variable KERAS_BACKEND says, else "
        "torch. One that is not installed is told and left out.",
        choices=(AUTO, TOOLBOX_BACKEND, "torch", "jax"),
        refused={"theano": "Keras does not run on it any more; leave it out"},
    )
    early_exit: float = key(
        0.0,
        "Share of predictions to keep, such as 0.99, when each sample ends as soon as its read-out is clear; the mean "
        "number of steps is reported. 0 is off.",
        rule=between(0, 1),
        idle=lambda settings: _no_run(settings),
    )
    early_stopping: bool = key(
        False,
        f"End a sample when its prediction is clear: early_exit = {EARLY_STOPPING}, unless early_exit is set.",
        idle=lambda settings: _no_run(settings),
    )
    device: Literal["auto", "cpu", "cuda"] = key(
        "auto", "Where the built-in simulator runs; auto takes a GPU if any.", option="INI.device"
    )
    workers: int = key(
        0,
        "Processes on this machine that share the samples; with 0 or 1 there is only this one. More than one need the "
        "extra [dask].",
        rule=at_least(0),
    )
    scheduler: str = key("", "Address of a Dask scheduler, tcp://host:port, whose workers share the samples.")
    chunk: int = key(
        0, "Time steps computed at once per layer; 0 lets the simulator choose.", rule=at_least(0), option="INI.chunk"
    )
    engine: Literal["auto", "dense", "event", "counts", "reference"] = key(
        "auto",
        "How the built-in simulator computes: auto takes 8-bit products for networks with weight_bits, sums over "
        "spikes where few neurons fire, and counts where they do; dense takes floating-point products always, event "
        "sums over spikes wherever possible, counts one pass for all steps (with schedule = phased, radix or "
        "first-spike), reference the slow interpreter that defines the semantics.",
        option="INI.engine",
    )
    architecture: str = key(
        "loihi",
        "Chip of the simulator sanafe: loihi, truenorth, or an architecture file of SANA-FE.",
        option="sanafe.architecture",
        idle=lambda settings: _no_chip(settings),
    )
    seed: int = key(
        0,
        "Seed of everything random, such as Poisson input and readout = softmax.",
        rule=between(0, 2**32 - 1),
        recipe="readout_seed",
    )

    @property
    def steps(self) -> int:
        """Return the number of time steps, ``duration / dt`` rounded down."""
        return int(self.duration / self.dt + 1e-9)


@dataclass(frozen=True)
class ParameterSweep:
    """One run for each value of a key, or for each combination of values of several."""

    param_name: tuple[str, ...] = key(
        ("v_thresh",),
        "The key that is varied: section.key, or a key of [cell] by its name alone; or a list of several.",
        idle=lambda settings: "" if settings.parameter_sweep.param_values else _NO_SWEEP,
    )
    param_values: tuple[object, ...] = key(
        (),
        "Its values, such as [16, 32, 64]; without any there is a single run. Of several keys a list of lists, one for "
        "each: all combinations run.",
    )
    param_logscale: bool = key(
        False,
        "Draw sweep.png, accuracy against the first key, on a logarithmic scale.",
        idle=lambda settings: "" if settings.parameter_sweep.param_values else _NO_SWEEP,
    )


@dataclass(frozen=True)
class Output:
    """What is recorded, drawn and printed."""

    log_vars: frozenset[str] = key(
        frozenset(),
        "Variables to save: activations, spike trains, membrane potentials, input, operations of synapses and neurons.",
        all_of=(
            "activations_n_b_l",
            "spiketrains_n_b_l_t",
            "mem_n_b_l_t",
            "input_b_l_t",
            "synaptic_operations_b_t",
            "neuron_operations_b_t",
        ),
    )
    plot_vars: frozenset[str] = key(
        frozenset(),
        "Plots to draw.",
        all_of=(
            "activations",
            "spiketrains",
            "spikerates",
            "spikecounts",
            "correlation",
            "error_t",
            "diagnosis",
            "v_mem",
            "hist_spikerates_activations",
            "operations",
            "confusion_matrix",
            "input_image",
            "normalization_activations",
        ),
    )
    diagnosis: bool = key(
        True, "Split the error of every layer into its causes, on up to 500 test samples, for report.json."
    )
    verbose: int = key(1, "0 prints only results, 1 also progress, 2 also details.", rule=between(0, 3))
    overwrite: bool = key(True, "Replace the results of an earlier run with the same runlabel; if False, stop instead.")
    use_simple_labels: bool = key(
        True,
        "Plots name layers as the model does; if False, with their type and the shape of their output.",
        idle=lambda settings: "" if settings.output.plot_vars else "plot_vars = {}",
    )
    plotproperties: Mapping[str, object] = key(
        {}, "Matplotlib settings (rcParams) for the plots, such as savefig.format, which is the format of their files."
    )


@dataclass(frozen=True)
class Settings:
    """All settings of one run, one frozen dataclass per section of the configuration file."""

    paths: Paths = field(default_factory=Paths)
    input: Input = field(default_factory=Input)
    tools: Tools = field(default_factory=Tools)
    normalization: Normalization = field(default_factory=Normalization)
    conversion: Conversion = field(default_factory=Conversion)
    simulation: Simulation = field(default_factory=Simulation)
    cell: Cell = field(default_factory=Cell)
    lava: Lava = field(default_factory=Lava)
    spinnaker: Spinnaker = field(default_factory=Spinnaker)
    parameter_sweep: ParameterSweep = field(default_factory=ParameterSweep)
    output: Output = field(default_factory=Output)
    without_effect: tuple[str, ...] = field(default=(), compare=False)
    """What was said of keys that the user set and that change nothing beside the others."""


@cache
def sections() -> Mapping[str, type[Any]]:
    """Return section name -> its dataclass, in the order of the file."""
    hints = get_type_hints(Settings)
    return {item.name: hints[item.name] for item in fields(Settings) if is_dataclass(hints[item.name])}


@cache
def keys() -> Mapping[str, Key]:
    """Return ``section.name`` -> `Key` of every supported key, in the order of the file."""
    table = {}
    for section, kind in sections().items():
        hints = get_type_hints(kind)
        for item in fields(kind):
            row = key_of(section, item, hints[item.name])
            table[row.path] = row
    return table
