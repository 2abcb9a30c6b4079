"""Pictures of results from Python: what they draw, where, and what they say when they cannot."""

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.errors import ArgumentError, DataError, SNNToolboxError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import Conv, Dense, Input, ReLU, Reshape

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")
from matplotlib import pyplot  # noqa: E402

RNG = np.random.default_rng(0)
X = RNG.random((12, 2, 4, 4)).astype(np.float32)
PLAIN = {"padding": ((0, 0), (0, 0)), "stride": (1, 1), "dilation": (1, 1)}
STEPS, DT, NAME = 9, 0.5, "$a$ <b>"


def toy():
    return Graph(
        [
            Input(name="x", shape=(2, 4, 4)),
            Conv(name="conv", inputs=("x",), weight=RNG.normal(size=(3, 2, 3, 3)), **PLAIN),
            ReLU(name=NAME, inputs=("conv",)),
            Reshape(name="flat", inputs=(NAME,), shape=(12,)),
            Dense(name="dense", inputs=("flat",), weight=RNG.normal(size=(5, 12))),
            ReLU(name="second", inputs=("dense",)),
            Dense(name="out", inputs=("second",), weight=RNG.normal(size=(4, 5))),
        ],
        ["out"],
        name="toy",
    )


@pytest.fixture(scope="module")
def snn():
    return stb.convert(toy(), X, dt=DT)


@pytest.fixture(scope="module")
def result(snn):
    return snn.run(X, T=STEPS, record=stb.Record(spikes=True, potentials=True))


@pytest.fixture(scope="module")
def labels(snn):
    return snn.original.run(X).argmax(axis=1)


@pytest.fixture(autouse=True)
def close():
    yield
    pyplot.close("all")


PICTURES = {
    "raster": lambda r, y, **a: r.plot.raster(NAME, **a),
    "potential": lambda r, y, **a: r.plot.potential("second", **a),
    "accuracy": lambda r, y, **a: r.plot.accuracy(y, **a),
    "agreement": lambda r, y, **a: r.plot.accuracy(**a),
    "confusion": lambda r, y, **a: r.plot.confusion(y, ["$1", "_2", "<3>", "4"], **a),
    "rates": lambda r, y, **a: r.plot.rates_against_activations(**a),
    "rates of one": lambda r, y, **a: r.plot.rates_against_activations(NAME, **a),
    "distribution": lambda r, y, **a: r.plot.distribution("second", **a),
    "correlations": lambda r, y, **a: r.plot.correlations(**a),
    "spike counts": lambda r, y, **a: r.plot.spike_counts(**a),
    "network": lambda r, y, **a: r.ran.network.plot(**a),
    "network with rates": lambda r, y, **a: r.ran.network.plot(r, **a),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_in_a_figure_of_its_own_or_in_the_axes_given(name, result, labels):
    own = PICTURES[name](result, labels)
    assert pyplot.fignum_exists(own.figure.number), "a notebook shows what pyplot knows"
    own.figure.canvas.draw()
    figure, (left, right) = pyplot.subplots(1, 2)
    assert PICTURES[name](result, labels, ax=right) is right
    assert len(pyplot.get_fignums()) == 2, "no further figure"
    assert right.has_data() or right.patches
    assert not left.has_data()
    assert left.get_title() == ""
    figure.canvas.draw()


def test_the_raster_has_each_spike_in_ms(result):
    (ticks,) = result.plot.raster("second", 3).collections
    drawn = {(round(float(s[0, 0]) / DT) - 1, round(float(s[:, 1].mean()))) for s in ticks.get_segments()}
    assert drawn == set(zip(*(a.tolist() for a in np.nonzero(result.spikes["second"][:, 3])), strict=True))
    assert drawn


def test_the_potential_is_that_of_the_neuron(result):
    line, threshold = result.plot.potential("second", neuron=2, sample=1).lines
    np.testing.assert_allclose(line.get_ydata(), result.potentials["second"][:, 1, 2])
    np.testing.assert_allclose(line.get_xdata(), DT * np.arange(1, STEPS + 1))
    population = result.ran.network.populations["second"]
    assert threshold.get_ydata()[0] == np.broadcast_to(population.neuron.threshold, (5,))[2]


def test_without_a_name_the_potential_is_of_the_neuron_that_fires_most(result):
    busiest = int(result.counts["second"][0].argmax())
    assert f"neuron {busiest}:" in result.plot.potential("second").get_title()


def test_accuracy_is_the_share_of_right_answers(result, labels):
    wrong = (labels + 1) % 4
    mixed = np.where(np.arange(12) < 9, labels, wrong)
    line, level = result.plot.accuracy(mixed).lines
    np.testing.assert_allclose(line.get_ydata(), 100 * (result.predictions_per_step == mixed).mean(axis=1))
    assert level.get_ydata()[0] == 75


def test_without_labels_it_is_the_agreement_with_the_original(result, labels):
    axes = result.plot.accuracy()
    (line,) = axes.lines
    np.testing.assert_allclose(line.get_ydata(), 100 * (result.predictions_per_step == labels).mean(axis=1))
    assert "agreement" in axes.get_ylabel()


def test_points_are_activations_and_rates_in_their_units(result):
    (points,) = result.plot.rates_against_activations("second").collections
    activations = result.ran.network.original.values(X, keep=["second"])["second"]
    rates = result.counts["second"] / STEPS * result.ran.network.populations["second"].scale
    np.testing.assert_allclose(points.get_offsets(), np.stack([activations.ravel(), rates.ravel()], axis=1), atol=1e-5)


def test_the_matrix_counts_samples(result, labels):
    shares = np.asarray(result.plot.confusion(labels).images[0].get_array())
    for true in set(labels.tolist()):
        answers = result.predictions[labels == true]
        np.testing.assert_allclose(shares[true], [np.mean(answers == c) for c in range(4)])


def test_boxes_stand_for_layers_and_have_the_colour_of_their_rate(snn, result):
    axes = snn.plot(result)
    words = "\n".join(text.get_text() for text in axes.texts)
    for name in ("x", "second", "out", r"\$a\$ <b>", "3x2x2", "Conv 3x3"):
        assert name in words
    colours = {tuple(patch.get_facecolor()) for patch in axes.patches}
    assert len(colours) > 1
    assert {tuple(patch.get_facecolor()) for patch in snn.plot().patches} < {(1, 1, 1, 1), (0, 0, 0, 0)} | colours


BAD = {
    "no such layer": (lambda r: r.plot.raster("secnd"), "did you mean 'second'"),
    "no such sample": (lambda r: r.plot.raster("second", 12), "no sample 12"),
    "no such neuron": (lambda r: r.plot.potential("second", 5), "no neuron 5"),
    "no such place": (lambda r: r.plot.potential("second", (0, 7, 1, 3)), "no neuron"),
    "half a neuron": (lambda r: r.plot.potential("second", 1.5), "no neuron 1.5"),
    "labels of others": (lambda r: r.plot.accuracy(np.zeros(3)), "3 labels for 12 samples"),
    "labels that are none": (lambda r: r.plot.confusion(np.full(12, 9)), "from 0 to 3"),
    "names that do not fit": (lambda r: r.plot.confusion(np.zeros(12), ["a"]), "1 names for 4 classes"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_drawn_is_told(name, result):
    draw, told = BAD[name]
    with pytest.raises(SNNToolboxError) as caught:
        draw(result)
    assert told in str(caught.value)
    assert pyplot.get_fignums() == [], "no empty figure is left in the notebook"


@pytest.mark.parametrize("draw", [lambda p: p.raster("second"), lambda p: p.potential("second"),
                                  lambda p: p.spike_counts()])  # fmt: skip
def test_what_was_not_recorded_is_told_with_what_to_type(snn, draw):
    with pytest.raises(DataError, match="not recorded") as caught:
        draw(snn.run(X[:2], T=2).plot)
    assert "record=stb.Record(" in caught.value.hint


def test_a_network_from_a_file_has_no_original(snn, tmp_path):
    stb.save(snn, tmp_path / "net.npz")
    loaded = stb.load_network(tmp_path / "net.npz").run(X, T=STEPS)
    with pytest.raises(DataError, match="original"):
        loaded.plot.rates_against_activations()
    with pytest.raises(ArgumentError, match="labels"):
        loaded.plot.accuracy()
    assert len(loaded.plot.accuracy(np.zeros(12)).lines) == 1, "no level of the original"


def test_the_original_may_have_other_samples(snn):
    times = np.zeros((3, STEPS, 2, 4, 4))
    times[:, ::2] = 1
    network = snn.replaced(encodings={"x": stb.SpikeTimes()})
    ran = network.run(times.reshape(3, STEPS, 2, 4, 4), T=STEPS)
    assert ran.ran.same_samples is False
    with pytest.raises(DataError) as caught:
        ran.plot.rates_against_activations()
    assert "x=" in caught.value.hint
    assert ran.plot.rates_against_activations(x=times.mean(axis=1)).collections


def test_a_changed_network_keeps_its_original_and_other_processes_do_not_get_it(snn):
    import pickle

    assert snn.with_neurons(leak=0.9).original is snn.original
    assert pickle.loads(pickle.dumps(snn)).original is None


def test_a_title_of_the_users_replaces_ours(result):
    axes = result.plot.raster("second")
    axes.set_title("mine")
    assert (axes.get_title("left"), axes.get_title(), axes.get_title("right")) == ("", "mine", "")
