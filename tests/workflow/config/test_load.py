"""A configuration file to settings: values, defaults that follow from others, recipes and overrides."""

import dataclasses
from pathlib import Path

import pytest

from snntoolbox.errors import ConfigError
from snntoolbox.workflow.config.load import FILES, load_config
from snntoolbox.workflow.config.refusals import UNUSED_SECTIONS, refused
from snntoolbox.workflow.config.schema import Settings, keys
from snntoolbox.workflow.config.values import show

MINIMAL = "[paths]\nfilename_ann = net\n"

REFERENCE_DEFAULTS = {
    "paths": "runlabel = test",
    "input": """model_lib = keras
dataset_format = npz
datagen_kwargs = {}
dataflow_kwargs = {}
poisson_input = False
input_rate = 1000
num_poisson_events_per_sample = -1
num_dvs_events_per_sample = 2000
eventframe_width = 10
label_dict = {}
chip_size = None
frame_gen_method =
is_x_first =
is_x_flipped =
is_y_flipped =
maxpool_subsampling = True
do_clip_three_sigma = True
keras_dataset =""",
    "tools": """evaluate_ann = True
parse = True
normalize = True
convert = True
simulate = True
serialise_only = False""",
    "normalization": """percentile = 99.9
normalization_schedule = False
online_normalization = False
diff_to_max_rate = 200
diff_to_min_rate = 100
timestep_fraction = 10""",
    "conversion": """softmax_to_relu = False
maxpool_type = fir_max
max2avg_pool = False
spike_code = temporal_mean_rate
num_bits = 32""",
    "simulation": """simulator = INI
duration = 200
dt = 1
batch_size = 1
num_to_test = 1
sample_idxs_to_test = []
reset_between_nth_sample = 1
top_k = 1
keras_backend = tensorflow
early_stopping = False""",
    "spinnaker": "number_of_neurons_per_core = 64",
    "cell": """v_thresh = 1
tau_refrac = 0
v_reset = 0
v_rest = 0
cm = 1
tau_m = 1000
tau_syn_E = 0.01
tau_syn_I = 0.01
delay = 0
binarize_weights = False
quantize_weights = False
scaling_factor = 10000000
payloads = False
reset = Reset by subtraction
leak = False
bias_relaxation = False""",
    "parameter_sweep": "param_values = []\nparam_name = v_thresh\nparam_logscale = False",
    "output": """log_vars = {}
plot_vars = {}
verbose = 1
overwrite = True
use_simple_labels = True
plotproperties = {'font.size': 13, 'axes.titlesize': 'xx-large'}""",
}


@pytest.fixture
def load(tmp_path):
    def run(text="", *overrides, head=MINIMAL):
        (tmp_path / "config.ini").write_text(head + text)
        return load_config(tmp_path / "config.ini", overrides)

    return run


def test_defaults_are_those_of_the_dataclasses(load):
    settings = load()
    for row in keys().values():
        if not row.derived and row.path != "paths.filename_ann":
            assert getattr(getattr(settings, row.section), row.name) == row.default, row.path


def test_a_file_that_spells_out_the_defaults_of_the_reference_runs(load):
    text = "".join(f"[{name}]\n{body}\n" for name, body in REFERENCE_DEFAULTS.items() if name != "paths")
    settings = load(text, head=f"[paths]\n{REFERENCE_DEFAULTS['paths']}\nfilename_ann = net\n")
    assert settings.input.model_lib == "keras"
    assert settings.conversion.maxpool_type == "fir_max"
    assert settings.cell == Settings().cell
    assert settings.simulation == dataclasses.replace(Settings().simulation, keras_backend="tensorflow")


def test_every_key_of_the_reference_is_known():
    names = {
        f"{section}.{line.split('=')[0].strip()}"
        for section, body in REFERENCE_DEFAULTS.items()
        for line in body.splitlines()
    }
    assert {name for name in names if name.split(".")[0] not in UNUSED_SECTIONS} <= keys().keys() | refused().keys()


def test_settings_are_frozen(load):
    with pytest.raises(dataclasses.FrozenInstanceError):
        load().simulation.duration = 3


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("paths.runlabel=a b", "a b"),
        ("input.model_lib=onnx", "onnx"),
        ("input.poisson_input=yes", True),
        ("input.poisson_input=FALSE", False),
        ("input.input_rate=2.5e2", 250.0),
        ("output.plotproperties={'font.size': 13}", {"font.size": 13}),
        ("simulation.duration=+32", 32),
        ("simulation.num_to_test=-1", -1),
        ("simulation.sample_idxs_to_test=[3, 0]", (3, 0)),
        ("simulation.sample_idxs_to_test=(3,)", (3,)),
        ("simulation.device=cuda", "cuda"),
        ("normalization.percentile=100", 100.0),
        ("conversion.maxpool_type=avg_max", "avg_max"),
        ("conversion.maxpool_type=exp_max", "exp_max"),
        ("conversion.maxpool_type=relu_tree", "relu_tree"),
        ("conversion.weight_bits=8", 8),
        ("cell.v_thresh=0.01", 0.01),
        ("cell.reset=Reset to zero", "zero"),
        ("cell.reset=Reset by modulo", "modulo"),
        ("cell.reset=subtract", "subtract"),
        ("output.log_vars={'mem_n_b_l_t'}", {"mem_n_b_l_t"}),
        ("output.log_vars={}", frozenset()),
        ("output.log_vars=", frozenset()),
        ("output.plot_vars=['v_mem', 'error_t']", {"v_mem", "error_t"}),
        ("output.plot_vars=v_mem, error_t", {"v_mem", "error_t"}),
        ("output.plot_vars={'all'}", frozenset(keys()["output.plot_vars"].all_of)),
        ("output.log_vars=all", frozenset(keys()["output.log_vars"].all_of)),
    ],
)
def test_values(load, override, value):
    path = override.split("=")[0]
    section, name = path.split(".")
    found = getattr(getattr(load("", override), section), name)
    assert found == value
    assert type(found) is type(keys()[path].default)


def test_overrides_win_over_the_file_and_the_last_one_counts(load):
    text = "[simulation]\nduration = nonsense\n"
    assert load(text, "simulation.duration=5", "simulation.duration = 7").simulation.duration == 7


def test_doubled_percent_signs_and_equal_signs_are_plain_text(load):
    assert load("runlabel = 50%%(x)s=y\n").paths.runlabel == "50%(x)s=y"


def test_default_paths(load, tmp_path):
    paths = load().paths
    assert paths.path_wd == paths.dataset_path == tmp_path
    assert paths.log_dir_of_current_run == tmp_path / "log" / "test"
    assert paths.class_idx_path is None


def test_relative_paths_start_at_path_wd(load, tmp_path):
    paths = load(
        "path_wd = work\ndataset_path = data\nlog_dir_of_current_run = out\nclass_idx_path = c.json\n",
        "input.dataset_format=png",
    ).paths
    assert paths.path_wd == tmp_path / "work"
    assert paths.dataset_path == tmp_path / "work" / "data"
    assert paths.log_dir_of_current_run == tmp_path / "work" / "out"
    assert paths.class_idx_path == tmp_path / "work" / "c.json"


@pytest.mark.parametrize("name", [f"{section}.{key}" for section, key in FILES])
def test_files_and_programs_lie_there_too(name, load, tmp_path, monkeypatch):
    """Wherever the run is started; what is not there is a name that something else knows."""
    section, key = name.split(".")
    (tmp_path / "at" / "bin").mkdir(parents=True)
    for file in ("at/bin/python", "python", "chip.yaml"):
        (tmp_path / file).touch()
    monkeypatch.chdir(tmp_path / "at")
    for text, meant in {
        "at/bin/python": str(tmp_path / "at" / "bin" / "python"),
        "chip.yaml": str(tmp_path / "chip.yaml"),
        "python": "python",
        "elsewhere/python": "elsewhere/python",
        str(tmp_path / "python"): str(tmp_path / "python"),
    }.items():
        assert getattr(getattr(load("", f"{name}={text}"), section), key) == meant


def test_absolute_and_home_paths_stay(load, monkeypatch):
    monkeypatch.setenv("HOME", "/somebody")
    paths = load("path_wd = ~/x\ndataset_path = /data\n").paths
    assert (paths.path_wd, paths.dataset_path) == (Path("/somebody/x"), Path("/data"))


def test_a_relative_file_name_gives_absolute_paths(load, tmp_path, monkeypatch):
    load()
    monkeypatch.chdir(tmp_path)
    assert load_config("config.ini").paths.path_wd == tmp_path


@pytest.mark.parametrize(
    ("name", "parsed", "snn"),
    [
        ("net", "net_parsed", "net_INI"),
        ("net.keras", "net_parsed", "net_INI"),
        ("models/net.onnx", "net_parsed", "net_INI"),
        ("net_v1.2", "net_v1.2_parsed", "net_v1.2_INI"),
    ],
)
def test_names_made_from_the_model(load, name, parsed, snn):
    paths = load(head=f"[paths]\nfilename_ann = {name}\n").paths
    assert (paths.filename_ann, paths.filename_parsed_model, paths.filename_snn) == (name, parsed, snn)


def test_names_given_stay(load):
    paths = load("filename_parsed_model = p\nfilename_snn = s\n").paths
    assert (paths.filename_parsed_model, paths.filename_snn) == ("p", "s")


def test_recipe_of_the_reference(load):
    conversion = load("", "conversion.recipe=rueckauer2017").conversion
    assert (conversion.readout, conversion.initial_potential, conversion.threshold_scope) == ("spikes", 0.0, "layer")


def test_recipe_of_spinnaker(load):
    settings = load("", "conversion.recipe=spinnaker")
    assert (settings.cell.reset, settings.conversion.weight_bits) == ("zero", 8)
    settings = load("[conversion]\nweight_bits = 6\n", "conversion.recipe=spinnaker")
    assert (settings.cell.reset, settings.conversion.weight_bits) == ("zero", 6)


def test_recipe_does_not_touch_explicit_keys(load):
    text = "[conversion]\nrecipe = rueckauer2017\nreadout = linear\n"
    conversion = load(text, "conversion.initial_potential=0.5").conversion
    assert (conversion.readout, conversion.initial_potential, conversion.threshold_scope) == ("linear", 0.5, "layer")


@pytest.mark.parametrize(("dt", "steps"), [(1, 30), (0.1, 300), (0.7, 42), (30, 1)])
def test_steps(load, dt, steps):
    assert load("", "simulation.duration=30", f"simulation.dt={dt}").simulation.steps == steps


def test_a_saved_network_needs_no_model(load):
    settings = load("[tools]\nparse = False\n", head="[paths]\nfilename_parsed_model = p\nfilename_snn = s\n")
    assert not settings.tools.evaluate_ann


def test_installed_plugins_add_choices(load, monkeypatch, tmp_path):
    package = tmp_path / "plugin"
    (package / "mine-1.dist-info").mkdir(parents=True)
    (package / "mine-1.dist-info" / "METADATA").write_text("Name: mine\nVersion: 1\n")
    (package / "mine-1.dist-info" / "entry_points.txt").write_text("[snntoolbox.backends]\nmine = mine:Backend\n")
    with pytest.raises(ConfigError, match=r"simulation\.simulator = mine: must be one of INI"):
        load("", "simulation.simulator=mine")
    monkeypatch.syspath_prepend(str(package))
    assert load("", "simulation.simulator=mine").simulation.simulator == "mine"


@pytest.mark.parametrize("row", keys().values(), ids=lambda row: row.path)
def test_every_default_can_be_written_down(load, row):
    written = "" if row.derived else show(row.default)  # as a new configuration has it
    settings = load(f"[{row.section}]\n{row.name} = {written}\n", "paths.filename_ann=net", head="")
    plain = load("")
    assert getattr(settings, row.section) == getattr(plain, row.section)


def test_quotes_around_strings_do_not_matter(tmp_path):
    file = tmp_path / "config.ini"
    file.write_text(
        "[paths]\nfilename_ann = 'net.onnx'\npath_wd = \".\"\n"
        "[simulation]\nsimulator = 'INI'\n[cell]\nreset = \"Reset by subtraction\"\n"
    )
    settings = load_config(file)
    assert settings.paths.filename_ann == "net.onnx"
    assert settings.paths.path_wd == tmp_path
    assert settings.simulation.simulator == "INI"
    assert settings.cell.reset == "subtract"


@pytest.mark.parametrize(("name", "meant"), [("brian", "pynn.brian2"), ("neuron", "pynn.neuron"), ("nest", "nest")])
def test_the_toolboxs_names_of_simulators_are_understood(name, meant, tmp_path):
    config = tmp_path / "config.ini"
    config.write_text(f"[paths]\nfilename_ann = m.onnx\n[simulation]\nsimulator = {name}\n")
    assert load_config(config).simulation.simulator == meant


HERE = {
    "log_dir_of_current_run": ("work", "work/log/test"),
    "dataset_path": ("work", "work"),
    "path_wd": ("", "work"),
}


@pytest.mark.parametrize("name", HERE)
@pytest.mark.parametrize("text", [".", "./", "'.'", "", "''", None])
def test_the_folder_itself_is_something_else_than_none(text, name, tmp_path):
    here, unset = HERE[name]
    file = tmp_path / "config.ini"
    line = "" if text is None else f"{name} = {text}\n"
    work = "" if name == "path_wd" else "path_wd = work\n"
    file.write_text(f"[paths]\nfilename_ann = m\n{work}{line}")
    expected = here if text and text.strip("'") else unset if work else ""
    assert getattr(load_config(file).paths, name) == tmp_path / expected
    assert (
        getattr(load_config(file, [] if text is None else [f"paths.{name}={text}"]).paths, name) == tmp_path / expected
    )
