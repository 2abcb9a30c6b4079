"""QCFS in Keras: its values and gradients, files there and back, and its way into a trained model."""

import json
import zipfile

import numpy as np
import pytest

keras = pytest.importorskip("keras")
layers = pytest.importorskip("keras.layers")
torch = pytest.importorskip("torch")

import snntoolbox as stb  # noqa: E402
from snntoolbox.errors import ConversionError, DataError, UnsupportedError  # noqa: E402
from snntoolbox.ir.nodes import ReLU  # noqa: E402
from snntoolbox.training.keras import QCFS, replace_relu  # noqa: E402
from snntoolbox.training.pytorch import QCFS as TorchQCFS  # noqa: E402, N811


def test_it_is_that_of_pytorch_in_values_and_gradients():
    if keras.backend.backend() != "torch":
        pytest.skip("gradients are taken with torch")
    random = np.random.default_rng(0)
    x, gradient = (torch.tensor(random.normal(size=(50, 3)), dtype=torch.float32) for _ in range(2))
    pair = QCFS(4, 0.8, per_channel=True), TorchQCFS(4, 0.8, channels=3)
    pair[0].build((None, 3))
    found = []
    for layer, threshold in zip(pair, (pair[0].threshold.value, pair[1].threshold), strict=True):
        given = x.clone().requires_grad_()
        y = layer(given)
        y.backward(gradient)
        found.append([v.detach().numpy() for v in (y, given.grad, threshold.grad)])
    np.testing.assert_array_equal(found[0][0], found[1][0])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("levels", [0, -1, 2.5, 4.0, "4", True, None], ids=repr)
def test_levels_are_a_whole_number(levels):
    with pytest.raises(ConversionError, match="integer >= 1") as caught:
        QCFS(levels)
    assert repr(levels) in str(caught.value)


@pytest.mark.parametrize("levels", [0, 2.5, True], ids=repr)
def test_levels_that_were_set_later_are_refused_by_the_frontend(levels):
    model = net()
    model.get_layer("first").levels = levels
    with pytest.raises(UnsupportedError, match=rf"first.*levels = {levels}"):
        stb.load(model)


def net(per_channel=False):
    keras.utils.set_random_seed(0)
    parts = [keras.layers.Conv2D(3, 3), keras.layers.BatchNormalization(), QCFS(4, 0.5, per_channel, name="first")]
    inner = keras.Sequential([keras.Input((48,)), keras.layers.Dense(6), QCFS(8, 0.5, name="second")], name="inner")
    model = keras.Sequential([keras.Input((6, 6, 2)), *parts, keras.layers.Flatten(), inner, keras.layers.Dense(2)])
    threshold = parts[2].threshold
    threshold.assign(np.linspace(0.3, 0.9, 3) if per_channel else 0.7)
    return model


@pytest.mark.parametrize("suffix", [None, "keras", "h5"])
@pytest.mark.parametrize("per_channel", [False, True], ids=["one", "each"])
def test_the_frontend_reads_models_and_files(tmp_path, suffix, per_channel):
    model = net(per_channel)
    if suffix:
        model.save(tmp_path / f"net.{suffix}")
    graph = stb.load(tmp_path / f"net.{suffix}" if suffix else model)
    first, second = (n for n in graph.nodes.values() if isinstance(n, ReLU))
    np.testing.assert_allclose(np.ravel(first.max_value), np.linspace(0.3, 0.9, 3) if per_channel else 0.7, rtol=1e-6)
    assert (first.levels, second.levels, second.max_value) == (4, 8, 0.5)
    assert (first.name, str(second.origin)) == ("first", "inner/second (keras snntoolbox>QCFS)")


def test_our_own_reader_reads_it_without_keras(tmp_path):
    """Where Keras would not load the file, the layer is made anew from its config and weights."""
    from snntoolbox.frontends.keras import open_file

    net().save(tmp_path / "net.keras")
    saved = open_file.read_saved(tmp_path / "net.keras")
    model = open_file.FileModel(open_file._checked_net(keras, saved, None, []))
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 2)).astype(np.float32)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(model.model(x)), keras.ops.convert_to_numpy(net()(x)), atol=1e-6
    )


def test_another_layer_of_this_name_is_foreign(tmp_path):
    net().save(tmp_path / "net.keras")
    with zipfile.ZipFile(tmp_path / "net.keras") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(files["config.json"])
    next(e for e in config["config"]["layers"] if e["class_name"] == "QCFS")["module"] = "theirs"
    files["config.json"] = json.dumps(config)
    with zipfile.ZipFile(tmp_path / "theirs.keras", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    with pytest.raises(UnsupportedError, match=r"'theirs.QCFS' is not part of Keras"):
        stb.load(tmp_path / "theirs.keras")


def test_hostile_settings_are_refused(tmp_path):
    net().save(tmp_path / "net.keras")
    with zipfile.ZipFile(tmp_path / "net.keras") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    for levels in (0, -3, 1.5, 4.0, "4", True, None):
        config = json.loads(files["config.json"])
        next(e for e in config["config"]["layers"] if e["class_name"] == "QCFS")["config"]["levels"] = levels
        with zipfile.ZipFile(tmp_path / "hostile.keras", "w") as archive:
            for name, content in {**files, "config.json": json.dumps(config)}.items():
                archive.writestr(name, content)
        with pytest.raises(UnsupportedError, match=f"levels = {levels!r}, which is no integer"):
            stb.load(tmp_path / "hostile.keras")


# -- replacing -----------------------------------------------------------------------------------------------------

X = np.random.default_rng(0).normal(size=(64, 6, 6, 2)).astype(np.float32)


def chain():
    """Each way to write a rectifier, in a Sequential with another one within it."""
    inner = keras.Sequential([keras.Input((6,)), layers.Dense(5, activation="relu", name="deep")], name="inner")
    parts = [layers.Conv2D(4, 3, activation="relu", name="conv"), layers.BatchNormalization()]
    parts += [layers.Activation("relu", name="act")]
    parts += [layers.AveragePooling2D(2), layers.Flatten(), layers.Dense(6), layers.ReLU(name="layer"), inner]
    return keras.Sequential([keras.Input((6, 6, 2)), *parts, layers.Dense(3, activation="softmax", name="out")])


def branches():
    """A functional model: a residual sum, a layer that is called twice, and a model within it."""
    x = keras.Input((6, 6, 2))
    shared = layers.Conv2D(2, 3, padding="same", activation="relu", name="conv")
    first = shared(x)
    joined = layers.Activation("relu6", name="act")(layers.add([shared(first), x]))
    given = keras.Input((72,))
    inner = keras.Model(given, layers.Dense(5, activation="relu", name="deep")(layers.Dense(4)(given)), name="inner")
    flat = layers.ReLU(max_value=2.0, name="layer")(layers.Flatten()(joined))
    return keras.Model(x, layers.Dense(3, name="out")(inner(flat)))


# model -> new layer: the rectifier of the original that it stands for, as the function of its input
MODELS = {"chain": (chain, ["conv_qcfs", "act", "layer"]), "branches": (branches, ["conv_qcfs", "act", "layer"])}


@pytest.fixture(params=MODELS)
def case(request):
    keras.utils.set_random_seed(1)
    make, names = MODELS[request.param]
    return make(), names


def test_every_rectifier_is_replaced_and_the_original_left_alone(case):
    model, names = case
    before = [w.copy() for w in model.get_weights()]
    tuned = replace_relu(model, 4, X)
    found = [layer for layer in tuned._flatten_layers() if isinstance(layer, QCFS)]
    assert sorted(layer.name for layer in found) == sorted([*names, "deep_qcfs"])
    assert {layer.levels for layer in found} == {4}
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert tuned.get_layer("conv").activation is keras.activations.linear
    assert model.get_layer("conv").activation is keras.activations.relu
    assert len(tuned.get_weights()) == len(before) + len(found)


def test_with_many_levels_it_is_the_original(case):
    """Weights are the same, in order; and ReLU6 and a bound of 2 stay bounds."""
    model, _ = case
    tuned = replace_relu(model, 100_000, X)
    for layer in tuned._flatten_layers():
        if isinstance(layer, QCFS):  # the largest activation there, of which quantising to so many levels takes all
            assert float(layer.threshold) > 0
    found, wanted = (keras.ops.convert_to_numpy(m(X[:16], training=False)) for m in (tuned, model))
    np.testing.assert_allclose(found, wanted, atol=0.02 * np.abs(wanted).max())


def test_thresholds_are_those_of_the_least_error():
    """Twenty ones and a four: with one level a step of 1.12 or so loses less than one of 4, which loses the ones."""
    x = np.array([[0.0], *[[1.0]] * 20, [4.0]], np.float32)
    model = keras.Sequential([keras.Input((1,)), layers.ReLU(name="r")])
    threshold = float(replace_relu(model, 1, x).get_layer("r").threshold)
    errors = {t: np.mean((t * np.clip(np.floor(x / t + 0.5), 0, 1) - x) ** 2) for t in 4 * np.linspace(0.1, 1, 91)}
    assert threshold == pytest.approx(min(errors, key=errors.get), rel=1e-6)
    assert 1.05 < threshold < 1.3
    nothing = replace_relu(model, 1, -x)
    assert float(nothing.get_layer("r").threshold) == 1.0


def test_the_copy_is_trained_converted_and_saved(case, tmp_path):
    model, _ = case
    tuned = replace_relu(model, 4, X)
    tuned.compile(optimizer=keras.optimizers.SGD(0.01), loss="mse")
    start = float(tuned.get_layer("act").threshold)
    tuned.fit(X, np.ones((64, 3), np.float32), epochs=2, verbose=0)
    assert float(tuned.get_layer("act").threshold) != start
    tuned.save(tmp_path / "tuned.keras")
    graph = stb.load(tmp_path / "tuned.keras")
    quantized = [n for n in graph.nodes.values() if isinstance(n, ReLU)]
    assert {n.levels for n in quantized} == {4}
    assert len(quantized) >= 4
    snn = stb.convert(graph, X, duration=4, schedule="phased")
    assert np.isfinite(stb.simulate(snn, X[:4]).output).all()


class Own(keras.Model):
    def call(self, x):
        return keras.ops.relu(x)


def recurrent():
    return keras.Sequential([keras.Input((4, 3)), layers.SimpleRNN(2, activation="relu", name="rnn"), layers.Dense(1)])


def wrapped():
    inner = layers.TimeDistributed(layers.Dense(2, activation="relu"), name="each")
    return keras.Sequential([keras.Input((4, 3)), inner])


def called():
    x = keras.Input((3,))
    return keras.Model(x, keras.ops.relu(layers.Dense(2)(x)))


REFUSED = {
    "recurrent": (recurrent, UnsupportedError, r"rnn \(SimpleRNN\).*within"),
    "wrapped": (wrapped, UnsupportedError, r"each \(TimeDistributed\).*within"),
    "called": (called, UnsupportedError, "as a function"),
    "own": (Own, ConversionError, "functional or sequential"),
    "not built": (lambda: keras.Sequential([layers.Dense(2)]), ConversionError, "that is built"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_replaced_is_named(name):
    make, kind, message = REFUSED[name]
    with pytest.raises(kind, match=message):
        replace_relu(make(), 4, np.zeros((2, 3), np.float32))


def test_samples_and_levels_are_checked_first():
    with pytest.raises(ConversionError, match="0 arrays of samples"):
        replace_relu(chain(), 4)
    with pytest.raises(ConversionError, match="integer >= 1"):
        replace_relu(chain(), 0, X)


@pytest.mark.parametrize("levels", [0, 2.5, 4.0, "4", True], ids=repr)
def test_levels_are_refused_before_the_model_runs(levels, monkeypatch):
    model = keras.Sequential([keras.Input((2,)), layers.ReLU(name="r")])
    monkeypatch.setattr(layers.ReLU, "call", lambda *a: pytest.fail("it began"))
    with pytest.raises(ConversionError, match="integer >= 1"):
        replace_relu(model, levels, np.zeros((3, 2), np.float32))


NO_SAMPLES = {"nan": ([[0.0, np.nan]], "NaN"), "infinite": ([[np.inf, 0.0]], "infinite"), "empty": ([[]], "none")}


@pytest.mark.parametrize(("samples", "reason"), NO_SAMPLES.values(), ids=NO_SAMPLES)
def test_samples_that_say_nothing_are_refused(samples, reason):
    model = keras.Sequential([keras.Input((2,)), layers.ReLU(name="r")])
    with pytest.raises(DataError, match=reason) as caught:
        replace_relu(model, 4, np.array(samples, np.float32))
    assert "input 1" in str(caught.value)


def test_a_model_without_rectifiers_is_told(caplog):
    replace_relu(keras.Sequential([keras.Input((2,)), layers.ReLU()]), 4, np.ones((3, 2), np.float32))
    assert "nothing was replaced" not in caplog.text
    replace_relu(keras.Sequential([keras.Input((2,)), layers.Dense(2)]), 4, np.ones((3, 2), np.float32))
    assert "nothing was replaced" in caplog.text
