"""Tables and words of a comparison, in 80 columns."""

from dataclasses import replace

from snntoolbox.analysis.comparison.comparison import Cause, Comparison, Divergence, Membrane, Side, Status
from snntoolbox.workflow.report.comparison_table import in_words, population_table, raster_text, side_table

SPIKES = {"relu1": 1234.5, "features.denseblock4.denselayer16.concatenation.relu": 7.0}
EQUAL = dict.fromkeys(SPIKES, 0)
NAMES = ("INI", "brian2", "nest", "pynn.brian2", "pynn.nest", "pynn.neuron", "verilog")


def side(name, **changes):
    found = Side(
        simulator=name, status=Status.RAN, samples=3, accuracy=1.0, agreement=2 / 3, ann_agreement=None, spikes=SPIKES,
        differing=EQUAL, cells=dict.fromkeys(SPIKES, 100), compared=3, seconds_to_build=1.0, seconds_to_run=0.25,
    )  # fmt: skip
    return replace(found, **changes)


def comparison(*sides, weight_bits=0):
    first = replace(side("INI"), differing={}, cells={}, compared=0)
    return Comparison(
        model="m", reference="INI", samples=3, steps=8, duration=8.0, weight_bits=weight_bits,
        layers={n: n for n in SPIKES}, sides=(first, *sides),
    )  # fmt: skip


def lines(text):
    found = text.splitlines()
    assert max(map(len, found)) <= 80
    return found


def test_one_line_for_each_simulator():
    some = comparison(side("nest"), side("absent", status=Status.MISSING, samples=0, compared=0, reason="no"))
    rows = [line.split() for line in lines(side_table(some, 80))]
    assert rows[2] == ["INI", "3", "100.0%", "-", "66.7%", "1,242", "1.2", "reference"]
    assert rows[3][-1] == "equal"
    assert rows[4] == ["absent", *"------", "missing"]


def test_one_line_for_each_population():
    every = comparison(*(side(name) for name in NAMES[1:4]))
    rows = [line.split() for line in lines(population_table(every, 80))]
    assert rows[0] == ["population", "spikes", *NAMES[1:4]]
    assert rows[2] == ["relu1", "1,234.5", "0", "0", "0"]
    assert len(rows[3][0]) == 30


def test_simulators_that_do_not_fit_stand_below():
    every = comparison(*(side(name) for name in NAMES[1:]))
    rows = lines(population_table(every, 80))
    below = [line for line in rows if line.startswith("    ")]
    assert below == 2 * ["    pynn.neuron: 0; verilog: 0"]
    assert rows[rows.index(below[0]) - 1].split() == ["relu1", "1,234.5", "0", "0", "0", "0"]


def test_what_became_of_a_raster():
    some = comparison(side("a"))
    assert raster_text(side("a", differing={"relu1": 1234}), some) == "1,234 differ"
    assert raster_text(side("a", status=Status.DIED), some) == "equal (died)"
    assert raster_text(side("a", compared=0), some) == "-"
    assert raster_text(some.sides[0], some) == "reference"


def test_a_divergence_in_words():
    membrane = Membrane(previous=0.5, before=1.25, after=0.25, spiked=True)
    at = Divergence(
        population="relu1", layer="relu1 (onnx Relu)", neuron=27, position=(0, 4, 3), sample=0, step=3, threshold=1.0,
        reference=membrane, simulator=Membrane(previous=None, before=None, after=None, spiked=False),
        cause=Cause.RESET, departs=("wrong",), evidence="replayed with its own input, " + 9 * "it resets otherwise, ",
    )  # fmt: skip
    text = in_words(comparison(side("wrong", differing={"relu1": 1}, divergence=at)), 80)
    assert "wrong first differs in sample 0, step 3: relu1 (onnx Relu), neuron 27 [0, 4, 3]" in lines(text)
    assert "  INI:           V 0.5 -> 1.25, spike, -> 0.25" in lines(text)
    assert "  wrong:         no spike (no potentials recorded)" in lines(text)
    assert "wrong departs from the semantics: replayed" in text
    assert text.endswith("on an integer grid\n(--set conversion.weight_bits=8) all must be equal.")


def test_the_verdict():
    assert in_words(comparison(side("a"), side("b")), 80) == "All rasters are equal: 3 simulators, spike by spike."
    differ = in_words(comparison(side("a", differing={"relu1": 1}), weight_bits=8), 80)
    assert " ".join(differ.split()).endswith("on an integer grid, where all must be equal.")
    refused = side("a", status=Status.REFUSED, samples=0, compared=0, reason="it cannot\n  hint: this way")
    text = in_words(comparison(refused), 80)
    assert text.startswith("a cannot take the network:\n  it cannot\n    hint: this way\n")
    assert text.endswith("fewer than two simulators finished a sample.")
