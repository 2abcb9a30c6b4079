"""Sweeps: one run per value of a key, each as it would be alone, here and on workers."""

import errno
import json
import os

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.errors import (
    ConfigError,
    ConversionError,
    DataError,
    DiedError,
    SNNToolboxError,
    UnfinishedError,
)
from snntoolbox.ir.drawing import canvas
from snntoolbox.ir.files import RunFolder
from snntoolbox.ir.writing import _plain, write_json
from snntoolbox.workflow import demo
from snntoolbox.workflow.cli import main
from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.stories import points
from snntoolbox.workflow.stories.run import FinishedRun, run
from snntoolbox.workflow.stories.sweep import _labels

SWEEP = ["sweep.json", "sweep.png"]
SHORT = ["simulation.num_to_test=30", "simulation.batch_size=16", "simulation.duration=8"]
SHORT += ["conversion.layer_correction=none"]


@pytest.fixture
def config(tmp_path):
    return demo.copy_to(tmp_path)


def measured(report):
    """A report as it is written, without what differs from run to run."""
    return {k: v for k, v in _plain(report).items() if k != "seconds"}


def test_each_point_is_as_if_run_alone(config):
    found = stb.sweep(config, "simulation.duration", [4, 16], overrides=SHORT)
    folder = config.parent / "log" / "demo_onnx"
    assert found.values == (4, 16)
    assert sorted(os.listdir(folder)) == [".snntoolbox", "duration_16", "duration_4", "report.html", *SWEEP]
    for value, report, place in zip(found.values, found.reports, found.folders, strict=True):
        alone = run(load_config(config, [*SHORT, f"simulation.duration={value}", "paths.runlabel=alone"])).report
        assert measured(report) == measured(alone)
        assert measured(json.loads((place / "report.json").read_text())) == measured(alone)
    written = json.loads((folder / "sweep.json").read_text())
    assert written["parameter"] == "simulation.duration"
    assert [p["value"] for p in written["points"]] == [4, 16]
    assert [p["agreement"] for p in written["points"]] == [r["agreement"] for r in found.reports]
    assert len({r["synaptic_operations"] for r in found.reports}) == 2  # it did vary something


@pytest.mark.long
def test_the_configuration_of_a_point_repeats_it(config):
    found = stb.sweep(config, "normalization.percentile", [99.0, 100], overrides=SHORT)
    assert found.reports[0]["spikes_per_layer"] != found.reports[1]["spikes_per_layer"]
    again = run(load_config(found.folders[0] / "config.ini")).report
    assert measured(again) == measured(found.reports[0])
    assert (found.folders[1] / "report.json").is_file()


@pytest.mark.long
def test_points_on_workers_are_the_same(config, tmp_path):
    pytest.importorskip("distributed")
    here = stb.sweep(config, "simulation.duration", [4, 8, 16], overrides=SHORT)
    there = stb.sweep(config, "simulation.duration", [4, 8, 16], overrides=[*SHORT, "simulation.workers=2"])
    assert [measured(r) for r in here.reports] == [measured(r) for r in there.reports]
    with np.load(there.folders[2] / "digits_cnn_INI.npz") as saved:
        assert len(saved.files) > 1


def test_from_the_command_line(config, capsys):
    sets = [*SHORT, "parameter_sweep.param_name=reset", "parameter_sweep.param_values=['subtract', 'zero']"]
    assert main([str(config), *(part for text in sets for part in ("--set", text))]) == 0
    out = capsys.readouterr().out
    rows = [line.split() for line in out.splitlines() if line.startswith(("subtract", "zero"))]
    points = json.loads((config.parent / "log" / "demo_onnx" / "sweep.json").read_text())["points"]
    assert len(rows) == len(points) == 2
    for row, point in zip(rows, points, strict=True):
        assert f"{point['snn_accuracy']:.2%}" in row


REFUSED = {
    "unknown": ("simulation.durations", [1], "did you mean simulation.duration?"),
    "bare": ("duration", [1], "did you mean simulation.duration?"),
    "bare elsewhere": ("Percentile", [1], "did you mean normalization.percentile?"),
    "misspelt": ("normalisation.percentile", [1], "did you mean normalization.percentile?"),
    "threshold": ("v_thresh", [1, 2], "every value gives the same: it cancels"),
    "no delay": ("cell.delay", [0, 1], "every value gives the same: one step is what"),
    "idle": ("input.input_rate", [1, 2], "every value gives the same"),
    "workers": ("simulation.workers", [1, 2], "is the same for all points"),
    "output": ("output.verbose", [1, 2], "is the same for all points"),
    "twice": ("simulation.duration", [1, 2, 1], "1 comes more than once"),
    "values": (
        "simulation.duration",
        [4, 0, "x"],
        r"duration = 0: must be at least 1[^$]*duration = x: must be an int",
    ),
    "none": ("simulation.duration", [], "no values to sweep"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_swept(case, config):
    name, values, message = REFUSED[case]
    with pytest.raises(ConfigError, match=message):
        stb.sweep(config, name, values)
    assert not (config.parent / "log").exists()


# The key, its values, and what else is set: with the key as it is, all of it would be refused or without effect.
VARIED = {
    "delay": ("cell.delay", [0, 2], []),
    "latency": ("input.latency_steps", [4, 8], ["input.latency_input=True", "simulation.duration=8"]),
    "digits": ("conversion.num_bits", [3, 4], ["conversion.spike_code=temporal_pattern", "conversion.num_bits=32"]),
}


@pytest.mark.parametrize("case", VARIED)
def test_a_key_is_judged_by_the_values_that_it_has(case, config):
    name, values, others = VARIED[case]
    tiny = [*SHORT, "simulation.num_to_test=2", "normalization.num_samples=20", "output.diagnosis=False", *others]
    found = stb.sweep(config, name, values, overrides=tiny)
    assert len(found.reports) == 2
    section = [f"parameter_sweep.param_name={name}", f"parameter_sweep.param_values={values}"]
    read = load_config(config, [*tiny, *section])
    assert read.parameter_sweep.param_values == tuple(values)


def test_what_no_point_runs_with_is_refused_where_it_is_run(config):
    name, values, others = VARIED["latency"]
    section = [f"parameter_sweep.param_name={name}", f"parameter_sweep.param_values={values}"]
    with pytest.raises(ConfigError, match=r"latency_steps = 16: must divide the 8 steps"):
        run(load_config(config, [*SHORT, *others, *section]))
    with pytest.raises(ConfigError, match=r"latency_steps = 3: must divide the 8 steps"):
        load_config(config, [*SHORT, *others, *section, "parameter_sweep.param_values=[3, 4]"])


def test_an_error_names_its_point_and_leaves_nothing(config):
    with pytest.raises(ConversionError, match=r"with simulation\.dt = 0\.3: a duration of 8 ms is no whole number"):
        stb.sweep(config, "simulation.dt", [1.0, 0.3], overrides=SHORT)
    assert list((config.parent / "log").iterdir()) == []


def test_the_section_is_checked_when_it_is_read(config):
    with pytest.raises(ConfigError, match=r"param_name = cell\.no: is no key"):
        load_config(config, ["parameter_sweep.param_name=cell.no", "parameter_sweep.param_values=[1]"])
    with pytest.raises(ConfigError, match="must be a list of values such as"):
        load_config(config, ["parameter_sweep.param_values=3"])


def test_points_whose_values_look_alike_have_folders_of_their_own():
    values = ["a/b", "a_b", "a b", "A_B", "a_b_2", "x" * 200, "x" * 201]
    labels = _labels(["paths.dataset_path"], [(value,) for value in values])
    assert len({label.lower() for label in labels}) == len(values)


# -- several keys, and the picture -----------------------------------------------------------------------------------


@pytest.mark.long
def test_all_combinations_of_several_keys(config, capsys):
    sets = [
        *SHORT,
        "parameter_sweep.param_name=['simulation.duration', 'RESET']",
        "parameter_sweep.param_values=[[2, 4], ['subtract', 'zero']]",
    ]
    assert main([str(config), *(part for text in sets for part in ("--set", text))]) == 0
    folder = config.parent / "log" / "demo_onnx"
    written = json.loads((folder / "sweep.json").read_text())
    assert written["parameter"] == ["simulation.duration", "cell.reset"]
    assert [p["value"] for p in written["points"]] == [[2, "subtract"], [2, "zero"], [4, "subtract"], [4, "zero"]]
    for point in written["points"]:
        duration, reset = point["value"]
        alone = run(load_config(config, [*SHORT, f"simulation.duration={duration}", f"cell.reset={reset}"])).report
        assert point["synaptic_operations"] == alone["synaptic_operations"]
    rows = [line.split()[:2] for line in capsys.readouterr().out.splitlines() if line.startswith(("2 ", "4 "))]
    assert rows == [["2", "subtract"], ["2", "zero"], ["4", "subtract"], ["4", "zero"]]


@pytest.mark.long
def test_several_keys_in_python(config):
    keys = ["simulation.duration", "normalization.percentile"]
    found = stb.sweep(config, keys, [[1, 2], [99.0, 50.0]], overrides=SHORT)
    assert found.name == tuple(keys)
    assert found.values == ((1, 99.0), (1, 50.0), (2, 99.0), (2, 50.0))
    assert [row["value"] for row in found.rows] == list(found.values)
    assert len({report["synaptic_operations"] for report in found.reports}) == 4


SEVERAL = {
    "no lists": (["cell.tau_m", "simulation.dt"], [1, 2], "a list of 2 lists, one for each of cell.tau_m, sim"),
    "too few": (["cell.tau_m", "simulation.dt"], [[1, 2]], "a list of 2 lists"),
    "an empty one": (["cell.tau_m", "simulation.dt"], [[1], []], "a list of 2 lists"),
    "one key twice": (["cell.tau_m", "TAU_M"], [[1], [2]], "a key comes more than once"),
    "both wrong": (["cell.no", "output.verbose"], [[1], [2]], r"cell\.no: is no key[^$]*is the same for all points"),
    "a value": (["cell.tau_m", "simulation.dt"], [[1], [1, -1]], r"simulation\.dt = -1: must be greater than 0"),
}


@pytest.mark.parametrize("case", SEVERAL)
def test_what_of_several_cannot_be_swept(case, config):
    names, values, message = SEVERAL[case]
    with pytest.raises(ConfigError, match=message):
        stb.sweep(config, names, values)


@pytest.mark.long
@pytest.mark.parametrize(("logarithmic", "scale"), [(True, "log"), (False, "linear")])
def test_the_scale_of_the_picture(config, monkeypatch, logarithmic, scale):
    drawn = []
    monkeypatch.setattr(canvas, "save", lambda figure, path: drawn.append((path.name, figure.axes[0])))
    sets = [*SHORT, f"parameter_sweep.param_logscale={logarithmic}", "output.plotproperties={'savefig.format': 'svg'}"]
    stb.sweep(config, ["simulation.duration", "cell.reset"], [[1, 4], ["zero", "subtract"]], overrides=[
        *sets, "parameter_sweep.param_name=simulation.duration", "parameter_sweep.param_values=[1]"
    ])  # fmt: skip
    ((name, axes),) = drawn
    assert (name, axes.get_xscale()) == ("sweep.svg", scale)
    assert [line.get_label() for line in axes.lines] == ["zero", "subtract"]
    assert [list(line.get_xdata()) for line in axes.lines] == [[1.0, 4.0]] * 2


def test_a_logarithmic_scale_needs_numbers(config):
    sets = ["parameter_sweep.param_logscale=True", "parameter_sweep.param_name=reset"]
    with pytest.raises(ConfigError, match="param_logscale: needs numbers above 0 of reset"):
        load_config(config, [*sets, "parameter_sweep.param_values=['zero', 'modulo']"])


@pytest.mark.parametrize("properties", ["{'no.such': 1}", "{'savefig.format': 'none'}", "{'font.size': 'big'}"])
def test_properties_that_cannot_be_are_told_before_the_first_run(config, properties):
    with pytest.raises(stb.SNNToolboxError, match="plotproperties"):
        stb.sweep(config, "simulation.duration", [1, 2], overrides=[*SHORT, f"output.plotproperties={properties}"])


# -- points that fail ------------------------------------------------------------------------------------------------

FAILURES = {
    "simulator": DiedError("the simulator is gone"),
    "data": DataError("no such data"),
    "memory": MemoryError(),
    "memory in torch": RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate"),
    "disk": OSError(errno.EIO, "Input/output error"),
    "defect": ZeroDivisionError("division by zero"),
    "SIGINT": KeyboardInterrupt(),
}
GOES_ON = {"simulator", "data", "memory", "memory in torch"}


def failing(monkeypatch, failures):
    """Runs of these durations raise; the others write a report."""

    def one(settings, into, force):
        duration = settings.simulation.duration
        report = {"duration": duration, "warnings": [], "seconds": {}}
        with RunFolder(into) as folder:
            if error := failures.get(duration):
                raise error
            write_json(folder / "report.json", report)
        return FinishedRun(report=report, folder=into)

    monkeypatch.setattr(points, "run", one)


@pytest.mark.parametrize("case", FAILURES)
def test_what_is_finished_stays_where_another_point_fails(case, config, monkeypatch):
    place = config.parent / "log" / "demo_onnx"
    failing(monkeypatch, {})
    stb.sweep(config, "simulation.duration", [1], overrides=SHORT)
    earlier = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    failing(monkeypatch, {3: FAILURES[case]})
    expected = UnfinishedError if case in GOES_ON else type(FAILURES[case])
    with pytest.raises(expected) as failed:
        stb.sweep(config, "simulation.duration", [2, 3, 4], overrides=SHORT)
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == earlier
    folder = place.with_name("demo_onnx-unfinished")
    written = json.loads((folder / "sweep.json").read_text())
    finished = [2, 4] if case in GOES_ON else [2]
    assert [point["value"] for point in written["points"]] == finished
    assert [point["value"] for point in written["unfinished"]] == [v for v in (2, 3, 4) if v not in finished]
    for point in written["points"]:
        assert json.loads((folder / point["folder"] / "report.json").read_text())["duration"] == point["value"]
    if case in GOES_ON:
        assert written["unfinished"][0]["reason"].startswith("with simulation.duration = 3: ")
        assert f"finished points (2 of 3) are in '{folder}'" in str(failed.value)
    else:
        assert [point["reason"] for point in written["unfinished"]] == ["not run", "not run"]
    assert sorted(p.name for p in place.parent.iterdir()) == ["demo_onnx", "demo_onnx-unfinished"]


def test_points_that_fail_from_the_command_line(config, monkeypatch, capsys):
    failing(monkeypatch, {3: DiedError("the simulator is gone", hint="ask it"), 4: DataError("no data")})
    sets = [*SHORT, "parameter_sweep.param_name=simulation.duration", "parameter_sweep.param_values=[3, 2, 4]"]
    assert main([str(config), *(part for text in sets for part in ("--set", text))]) == 2
    told = capsys.readouterr().err
    for words in ("duration = 3: the simulator is gone", "hint: ask it", "duration = 4: no data", "(1 of 3)"):
        assert words in told
    assert "Traceback" not in told


def test_where_no_point_is_finished_nothing_is_left(config, monkeypatch):
    failing(monkeypatch, {2: DataError("no data"), 3: DataError("none here")})
    with pytest.raises(UnfinishedError, match=r"= 2: no data[^$]*= 3: none here"):
        stb.sweep(config, "simulation.duration", [2, 3], overrides=SHORT)
    assert list((config.parent / "log").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "values", "messages"),
    [
        ("simulation.duration", [2, 10**13, 10**14], ["= 10000000000000: what is kept", "= 100000000000000: what is"]),
        ("simulation.dt", [1.0, 1e-13], ["simulation.dt = 1e-13: what is kept of"]),
        ("paths.filename_ann", ["digits_cnn.onnx", "none.onnx"], ["filename_ann = none.onnx: "]),
        ("paths.dataset_path", [".", "nowhere"], ["dataset_path = nowhere: "]),
    ],
)
def test_what_cannot_be_done_is_known_before_the_first_point(name, values, messages, config, monkeypatch):
    def none(settings, **options):
        raise AssertionError("a point was run")

    monkeypatch.setattr(points, "run", none)
    with pytest.raises(SNNToolboxError) as refused:
        stb.sweep(config, name, values, overrides=SHORT)
    for message in messages:
        assert message in str(refused.value)
    assert list((config.parent / "log").iterdir()) == []
