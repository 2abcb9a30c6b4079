"""Networks of earlier runs: where they are looked for, and what keeps them from being used again."""

import pytest

from snntoolbox.errors import ConfigError
from snntoolbox.ir.io import load_network
from snntoolbox.workflow import demo
from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.saved import check_saved, needed_file, saved_file
from snntoolbox.workflow.stories.run import run

SHORT = ["simulation.num_to_test=5", "simulation.duration=4", "normalization.num_samples=60", "tools.simulate=False"]
INPUTS, CLASSES = [(8, 8)], 10


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A function from changes to the settings of a run that is finished, and its network."""
    config = demo.copy_to(tmp_path_factory.mktemp("saved"))
    run(load_config(config, SHORT))
    network = load_network(config.parent / "log" / "demo_onnx" / "digits_cnn_INI.npz")
    return lambda *changes: (load_config(config, [*SHORT, *changes]), network)


def test_the_folder_of_the_run_comes_first(finished):
    settings, _ = finished()
    work, log = settings.paths.path_wd, settings.paths.log_dir_of_current_run
    assert saved_file(settings, "digits_cnn_INI") == log / "digits_cnn_INI.npz"
    assert saved_file(settings, "mine") is None
    (work / "mine.npz").touch()
    assert saved_file(settings, "mine") == work / "mine.npz"
    with pytest.raises(ConfigError, match=r"no saved network 'other\.npz'"):
        needed_file(settings, "other")


def test_the_same_choices_are_accepted(finished):
    settings, network = finished("cell.v_thresh=2", "output.verbose=0")
    warnings = []
    check_saved(network, settings, INPUTS, CLASSES, warnings.append)
    assert warnings == []


WRONG = {
    "steps": (["simulation.dt=2"], r"dt = 2\.0, the saved network has steps of 1\.0 ms"),
    "neurons": (["cell.reset=zero"], r"converted with other settings: cell\.reset = zero \(saved with subtract\)"),
    "two": (
        ["cell.leak=True", "conversion.readout=spikes"],
        r"conversion\.readout = spikes \(saved with linear\); cell\.leak = True \(saved with False\)",
    ),
    "input": (["input.poisson_input=True"], r"input\.poisson_input = True \(saved with False\)"),
}


@pytest.mark.parametrize("case", WRONG)
def test_other_choices_are_refused(case, finished):
    changes, message = WRONG[case]
    settings, network = finished(*changes)
    with pytest.raises(ConfigError, match=message):
        check_saved(network, settings, INPUTS, CLASSES, print)


@pytest.mark.parametrize(("inputs", "classes"), [([(8, 9)], 10), ([(8, 8)], 2)])
def test_another_model_is_refused(inputs, classes, finished):
    settings, network = finished()
    with pytest.raises(ConfigError, match="is of another model"):
        check_saved(network, settings, inputs, classes, print)


def test_another_duration_warns_where_it_was_fitted(finished):
    settings, network = finished("simulation.duration=8")
    warnings = []
    check_saved(network, settings, INPUTS, CLASSES, warnings.append)
    assert warnings == ["the saved network was fitted to a run of 4 ms, not 8 ms; convert = True fits it anew"]


# -- clamps ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clamped(tmp_path_factory):
    """A function from the text of the file of clamps to the settings of a run finished with 2 ms of layer 1."""
    config = demo.copy_to(tmp_path_factory.mktemp("clamped"))
    file, override = config.parent / "clamps.json", "paths.filename_clamp_indices=clamps.json"
    file.write_text('{"1": 2}')
    run(load_config(config, [*SHORT, override]))
    network = load_network(config.parent / "log" / "demo_onnx" / "digits_cnn_INI.npz")

    def edited(text, name=file.name):
        (file.parent / name).write_text(text)
        return load_config(config, [*SHORT, f"paths.filename_clamp_indices={name if text else ''}"])

    return edited, network


EDITED = {'{"1": 3}': ": 3}", '{"0": 2}': ": 2}", "{}": ": none", "": ": none"}


@pytest.mark.parametrize(("text", "now"), EDITED.items())
def test_an_edited_file_of_clamps_is_refused(text, now, clamped):
    edited, network = clamped
    with pytest.raises(ConfigError, match=rf"clamp_indices = .*{now}; the saved network .* for these: {{.*: 2}}"):
        check_saved(network, edited(text), INPUTS, CLASSES, print)


@pytest.mark.parametrize("name", ["clamps.json", "moved.json"])
def test_a_file_of_clamps_that_says_the_same_is_accepted(name, clamped):
    edited, network = clamped
    check_saved(network, edited('{"1": 2.0, "0": 0}', name), INPUTS, CLASSES, print)
