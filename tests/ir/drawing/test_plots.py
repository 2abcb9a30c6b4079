"""Each plot on made-up data: it is drawn, saved, and says what it must."""

import math
import subprocess
import sys

import numpy as np
import pytest

from snntoolbox.errors import SNNToolboxError
from snntoolbox.ir.drawing import canvas, plots
from snntoolbox.ir.drawing.canvas import save, spread
from snntoolbox.ir.drawing.sample_picture import square

pytest.importorskip("matplotlib")
RNG = np.random.default_rng(0)
RATES, ACTIVATIONS = RNG.random((2, 30, 8, 10, 10))
STEPS = 40
TIME = np.arange(STEPS)

CASES = {
    "scatter": (lambda: plots.rates_against_activations(RATES, ACTIVATIONS, "conv1"),
                ["conv1: r = ", "20,000 of 24,000 points", "ANN activation", "SNN rate"]),
    "scatter of zeros": (lambda: plots.rates_against_activations(np.zeros((2, 3)), np.zeros((2, 3)), "dead"),
                         ["dead: r = nan"]),
    "scatter of many layers": (
        lambda: plots.layers_against_activations({f"l{i}": (RATES[:2], RATES[:2] ** (1 + i)) for i in range(12)}),
        ["named: the 10 of 12 layers that follow least", "l11: r ="]),
    "correlations": (lambda: plots.correlations({"conv1": 0.99, "fc": math.nan, "odd": -0.2}),
                     ["conv1", "0.9900", "not known", "-0.2000"]),
    "error": (lambda: plots.error_over_time(np.linspace(0.9, 0.021, STEPS), 0.02, 0.5),
              ["SNN, 2.10 %", "ANN, 2.00 %", "time (ms)", "error (%)"]),
    "error without ANN": (lambda: plots.error_over_time(np.zeros(STEPS)), ["SNN, 0.00 %"]),
    "normalised": (lambda: plots.normalization(ACTIVATIONS, np.full((8, 1, 1), 0.5), 1.0, "conv1"),
                   ["conv1: before normalisation", "scales of the channels", "fastest rate; 50.", "spikes per step"]),
    "normalised, one scale": (lambda: plots.normalization(ACTIVATIONS, np.ones((1, 1, 1)), 0.5, "fc"),
                              ["dashed: scale)"]),
    "normalised, silent": (lambda: plots.normalization(np.zeros((3, 4)), np.ones(1), 1.0, "fc"), ["0.00% above"]),
    "raster": (lambda: plots.raster(RNG.random((STEPS, 8, 10, 10)) < 0.1, "conv1"), ["100 of 800 neurons shown"]),
    "raster of few": (lambda: plots.raster(np.ones((STEPS, 3), bool), "fc"), ["mean rate 1.000 per step", "neuron"]),
    "raster of silence": (lambda: plots.raster(np.zeros((STEPS, 3), bool), "fc"), ["mean rate 0.000"]),
    "potentials": (lambda: plots.potentials(RNG.normal(size=(STEPS, 50)), 1.0, "fc"),
                   ["threshold 1", "neuron\n49", "network units", "time (ms)"]),
    "potentials of one": (lambda: plots.potentials(np.zeros((STEPS, 1)), 1.0, "fc"), ["neuron\n0"]),
    "activation maps": (lambda: plots.activation_maps(RNG.random((100, 4, 4)), "conv1"), ["64 of 100 channels shown"]),
    "one activation map": (lambda: plots.activation_maps(RNG.random(10), "fc"), ["fc: activations of one sample"]),
    "rate maps": (lambda: plots.rate_maps(RNG.random((5, 4, 6)), "conv1"), ["spikes per step", "conv1: spike rates"]),
    "rate maps 1-D": (lambda: plots.rate_maps(np.zeros((5, 20)), "conv1"), ["conv1"]),
    "rate maps 3-D": (lambda: plots.rate_maps(RNG.random((5, 4, 6, 3)), "conv1"), ["conv1"]),
    "histograms": (lambda: plots.histograms(RATES, ACTIVATIONS, "conv1"), ["conv1", "ANN activation", "SNN rate"]),
    "histograms of one value": (lambda: plots.histograms(np.zeros(5), np.zeros(5), "dead"), ["dead"]),
    "spike counts": (lambda: plots.spike_counts({f"layer{i}": TIME * i for i in range(30)}), ["layer29", "spikes per"]),
    "operations": (lambda: plots.operations(TIME * 1e6, 4e7), ["ANN, 40,000,000 operations"]),
    "confusion": (lambda: plots.confusion(np.array([[9, 1], [0, 10]]), ["cat", "dog"]),
                  ["95.00% of 20 right", "dog", "predicted class"]),
    "confusion of many": (lambda: plots.confusion(np.eye(100, dtype=int)), ["100.00% of 100 right", "99"]),
    "grey image": (lambda: plots.input_image(RNG.random((1, 28, 28))), ["values from"]),
    "colour image": (lambda: plots.input_image(RNG.random((3, 32, 32)), "label 5"), ["label 5"]),
    "colour image, channels last": (lambda: plots.input_image(RNG.random((32, 32, 3))), ["values from"]),
    "two polarities": (lambda: plots.input_image(RNG.random((2, 7, 7))), ["values from"]),
    "vector": (lambda: plots.input_image(np.ones(50)), ["values from 1 to 1"]),
}  # fmt: skip


def words(figure):
    from matplotlib.text import Text

    return "\n|".join(text.get_text() for text in figure.findobj(Text))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.one_in(3)
def test_plot(case, tmp_path):
    draw, expected = CASES[case]
    figure = draw()
    assert save(figure, tmp_path / "plot.png", dpi=40).read_bytes().startswith(b"\x89PNG")
    found = words(figure)
    for text in expected:
        assert text in found


def test_raster_draws_each_spike_of_the_neurons_shown():
    spikes = RNG.random((STEPS, 5)) < 0.3
    (ticks,) = plots.raster(spikes, "fc", dt=0.5).axes[0].collections
    segments = np.array(ticks.get_segments())
    found = {(round(float(s[0, 0] / 0.5)) - 1, round(float(s[:, 1].mean()))) for s in segments}
    assert found == set(zip(*(a.tolist() for a in np.nonzero(spikes)), strict=True))


def test_operations_are_summed_over_time():
    figure = plots.operations(np.array([1.0, 2.0, 3.0]), dt=2.0)
    line = figure.axes[0].lines[0]
    np.testing.assert_array_equal(line.get_xdata(), [2, 4, 6])
    np.testing.assert_array_equal(line.get_ydata(), [1, 3, 6])


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(SNNToolboxError, match="matplotlib") as caught:
        plots.operations(np.ones(3))
    assert "snntoolbox[plots]" in caught.value.hint


SCRIPT = """
import sys
import numpy as np
from snntoolbox.ir.drawing import canvas, plots
assert "matplotlib" not in sys.modules, "imported before it is used"
canvas.save(plots.operations(np.ones(3)), sys.argv[1])
assert "matplotlib.pyplot" not in sys.modules, "pyplot keeps global state"
"""


def test_matplotlib_is_imported_late_and_without_pyplot(tmp_path):
    done = subprocess.run([sys.executable, "-c", SCRIPT, tmp_path / "a.png"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.png").exists()


@pytest.mark.parametrize(("size", "most", "expected"), [(3, 10, [0, 1, 2]), (101, 3, [0, 50, 100]), (1, 5, [0])])
def test_spread(size, most, expected):
    assert spread(size, most).tolist() == expected


def test_square_keeps_the_values():
    picture = square(np.arange(7.0))
    assert picture.shape == (3, 3)
    np.testing.assert_array_equal(picture.ravel()[:7], np.arange(7))
    assert np.isnan(picture.ravel()[7:]).all()


@pytest.mark.parametrize("properties", [{}, {"savefig.format": "svg"}, {"font.size": 20, "savefig.format": "pdf"}])
def test_the_users_properties_hold_for_any_picture(tmp_path, properties):
    sizes = []

    def draw():
        figure, axes = canvas.canvas(3, 2)
        sizes.append(axes.set_xlabel("x").get_size())
        return figure

    canvas.save_if_possible(draw, tmp_path / "a.png", pytest.fail, properties)
    assert [p.name for p in tmp_path.iterdir()] == [f"a.{properties.get('savefig.format', 'png')}"]
    assert sizes == [properties.get("font.size", 10)]


def test_properties_that_cannot_be_are_told(tmp_path):
    told = []
    canvas.save_if_possible(lambda: canvas.canvas(3, 2)[0], tmp_path / "a.png", told.append, {"no.such": 1})
    assert "a.png could not be drawn" in told[0]


def test_channels_that_are_no_colours_stand_side_by_side():
    sample = np.arange(30.0).reshape(2, 3, 5)
    drawn = np.asarray(plots.input_image(sample).axes[0].images[0].get_array())
    assert drawn.shape == (3, 11)
    np.testing.assert_array_equal(drawn[:, :5], sample[0])
    np.testing.assert_array_equal(drawn[:, 6:], sample[1])
