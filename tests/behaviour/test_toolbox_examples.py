"""What users of the SNN Toolbox have: scripts like its examples, and its whole default configuration, run unchanged.

Each example makes a small network, data and a configuration in the way of those scripts, and runs it by their imports.
"""

import json
import os

import numpy as np
import pytest

from snntoolbox.bin.run import main
from snntoolbox.utils.utils import import_configparser

configparser = import_configparser()

SAMPLES = 6


def configured(folder, **sections):
    """A configuration as `configparser` writes what a script puts together: keys in lower case, no suffix."""
    config = configparser.ConfigParser()
    config["paths"] = {"path_wd": folder, "dataset_path": folder, "filename_ann": "net"}
    config["tools"] = {"evaluate_ann": True, "normalize": True}
    config.read_dict(sections)
    with (folder / "config").open("w") as file:
        config.write(file)
    return str(folder / "config")


def save_data(folder, shape, predict):
    """Random samples, and what the network says of them as one-hot rows."""
    x = np.random.default_rng(0).random((40, *shape), np.float32)
    classes = np.asarray(predict(x[:SAMPLES])).argmax(axis=-1)
    np.savez_compressed(os.path.join(folder, "x_test"), x[:SAMPLES])
    np.savez_compressed(os.path.join(folder, "y_test"), np.eye(3)[classes])
    np.savez_compressed(os.path.join(folder, "x_norm"), x)



def report(folder):
    return json.loads((folder / "log" / "test" / "report.json").read_text())


@pytest.fixture(scope="module")
def keras():
    """Keras, its networks with the same weights in each run."""
    module = pytest.importorskip("keras")
    module.utils.set_random_seed(1)
    return module


def small_cnn(keras):
    layers = keras.layers
    inputs = keras.Input((6, 6, 1))
    x = layers.Conv2D(4, (3, 3), activation="relu")(inputs)
    x = layers.AveragePooling2D(2)(x)
    x = layers.Conv2D(4, (3, 3), padding="same", activation="relu")(x)
    x = layers.Dropout(0.01)(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x))


def small_resnet(keras):
    layers = keras.layers
    inputs = keras.Input((6, 6, 1))
    x = layers.Activation("relu")(layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(inputs)))
    y = layers.Activation("relu")(layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same", strides=2)(x)))
    y = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(y))
    x = layers.Activation("relu")(layers.Add()([layers.Conv2D(4, 1, strides=2)(x), y]))
    x = layers.Flatten()(layers.AveragePooling2D(3)(x))
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x))


@pytest.mark.long
@pytest.mark.parametrize("build", [small_cnn, small_resnet])
def test_keras_on_ini(build, keras, tmp_path):
    model = build(keras)
    model.save(tmp_path / "net.h5")
    save_data(tmp_path, (6, 6, 1), lambda x: model.predict(x, verbose=0))
    plots = {"spiketrains", "spikerates", "activations", "correlation", "v_mem", "error_t"}
    config = configured(
        tmp_path,
        simulation={
            "simulator": "INI", "duration": 50, "num_to_test": SAMPLES, "batch_size": 3, "keras_backend": "tensorflow",
        },
        output={"plot_vars": plots},
    )  # fmt: skip
    (accuracy,) = main(config)
    assert accuracy >= 0.8
    drawn = {p.stem for p in (tmp_path / "log" / "test" / "plots").rglob("*.png")}
    assert plots <= drawn
    assert report(tmp_path)["ann_accuracy"] == 1.0


def test_an_architecture_in_json_with_weights(keras, tmp_path):
    model = small_cnn(keras)
    (tmp_path / "net.json").write_text(model.to_json())
    model.save_weights(tmp_path / "net.weights.h5")
    os.rename(tmp_path / "net.weights.h5", tmp_path / "net.h5")
    save_data(tmp_path, (6, 6, 1), lambda x: model.predict(x, verbose=0))
    (accuracy,) = main(configured(tmp_path, simulation={"duration": 50, "num_to_test": SAMPLES}))
    assert accuracy >= 0.8


NET = """
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.input_shape = (1, 6, 6)
        self.layers = nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(16, 3), nn.Softmax(dim=1)
        )

    def forward(self, x):
        return self.layers(x)
"""


def torch_example(folder, suffix=".pkl"):
    import torch

    (folder / "net.py").write_text(NET)
    names = {}
    exec(compile(NET, "net.py", "exec"), names)
    torch.manual_seed(0)
    model = names["Model"]()
    torch.save(model.state_dict(), folder / f"net{suffix}")
    save_data(folder, (1, 6, 6), lambda x: model(torch.from_numpy(x)).detach().numpy())


@pytest.mark.parametrize("suffix", [".pkl", ".pth"])
def test_pytorch_on_ini(tmp_path, suffix):
    torch_example(tmp_path, suffix)
    config = configured(
        tmp_path,
        input={"model_lib": "pytorch"},
        simulation={"simulator": "INI", "duration": 50, "num_to_test": SAMPLES, "batch_size": 3},
        conversion={"softmax_to_relu": True},
    )
    (accuracy,) = main(config)
    assert accuracy >= 0.8


def test_brian2(tmp_path):
    pytest.importorskip("brian2")
    torch_example(tmp_path)
    config = configured(
        tmp_path,
        input={"model_lib": "pytorch", "poisson_input": True, "input_rate": 1000},
        simulation={"simulator": "brian2", "duration": 40, "num_to_test": 3, "batch_size": 1, "dt": 1},
        cell={"tau_syn_E": 0.01, "tau_syn_I": 0.01, "tau_m": 1000, "cm": 1},
    )
    (accuracy,) = main(config)
    assert accuracy >= 0.5
    assert report(tmp_path)["warnings"] == []


@pytest.mark.parametrize("simulator", ["nest", "neuron"])
def test_simulators_of_pynn(tmp_path, simulator):
    pytest.importorskip({"nest": "nest", "neuron": "neuron"}[simulator])
    torch_example(tmp_path)
    dt = 0.5
    config = configured(
        tmp_path,
        input={"model_lib": "pytorch"},
        simulation={"simulator": simulator, "duration": 20, "num_to_test": 3, "batch_size": 1, "dt": dt},
        cell={"tau_refrac": dt, "delay": dt, "v_thresh": 0.01},
        output={"plot_vars": {"spiketrains", "error_t"}},
    )
    (accuracy,) = main(config)
    assert accuracy >= 0.6
    assert [text.split()[0] for text in report(tmp_path)["warnings"]] == ["cell.v_thresh"]


def test_two_settings_changed_in_a_script(tmp_path):
    from snntoolbox.bin.utils import run_pipeline, update_setup

    torch_example(tmp_path)
    config = update_setup(configured(tmp_path, input={"model_lib": "pytorch"}))
    config.read_dict({"simulation": {"duration": 20, "num_to_test": SAMPLES}, "output": {"log_vars": {"all"}}})
    assert run_pipeline(config)[0] >= 0.8
    assert (tmp_path / "log" / "test" / "log_vars" / "0.npz").is_file()


# -- the whole default configuration --------------------------------------------------------------------------------

DEFAULTS = """
[paths]
path_wd =
dataset_path =
log_dir_of_current_run =
runlabel = test
filename_ann = net
filename_parsed_model =
filename_snn =
filename_clamp_indices =
filepath_custom_objects =
class_idx_path =

[input]
model_lib = pytorch
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
keras_dataset =

[tools]
evaluate_ann = True
parse = True
normalize = True
convert = True
simulate = True
serialise_only = False

[normalization]
percentile = 99.9
normalization_schedule = False
online_normalization = False
diff_to_max_rate = 200
diff_to_min_rate = 100
timestep_fraction = 10

[conversion]
softmax_to_relu = False
maxpool_type = fir_max
max2avg_pool = False
spike_code = temporal_mean_rate
num_bits = 32

[simulation]
simulator = INI
duration = 200
dt = 1
batch_size = 1
num_to_test = 1
sample_idxs_to_test = []
reset_between_nth_sample = 1
top_k = 1
keras_backend = tensorflow
early_stopping = False

[spinnaker]
number_of_neurons_per_core = 64

[cell]
v_thresh = 1
tau_refrac = 0
v_reset = 0
v_rest = 0
i_offset = 0
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
bias_relaxation = False

[parameter_sweep]
param_values = []
param_name = v_thresh
param_logscale = False

[output]
log_vars = {}
plot_vars = {}
verbose = 1
overwrite = True
use_simple_labels = True
plotproperties = {
    'font.size': 13,
    'axes.titlesize': 'xx-large',
    'figure.figsize': (7, 6),
    'savefig.format': 'png'}

[restrictions]
model_libs = {'keras', 'pytorch'}
simulators_pyNN = {'nest', 'brian', 'neuron'}
simulators = %(simulators_pyNN)s | {'INI', 'brian2'}
snn_layers = {'Dense', 'Conv2D'}
"""


def as_it_is(text):
    return text


def in_lower_case(text):
    """As `configparser` writes what it has read."""
    from io import StringIO

    config = configparser.ConfigParser()
    config.read_string(text)
    written = StringIO()
    config.write(written)
    assert "tau_syn_e = " in written.getvalue()
    return written.getvalue()


@pytest.mark.parametrize("written", [as_it_is, in_lower_case])
def test_the_whole_default_configuration(tmp_path, written):
    torch_example(tmp_path)
    (tmp_path / "config").write_text(written(DEFAULTS))
    assert main(tmp_path / "config") == [1.0]
    (told,) = report(tmp_path)["warnings"]
    assert "no effect with simulator = INI: " in told
    assert "restrictions.snn_layers" in told
