"""A part of neurons defined here alone runs where neurons are in Python, is refused by name elsewhere, and is saved."""

import subprocess
import sys
from dataclasses import dataclass, replace

import numpy as np
import pytest
from waiting import PATIENCE

import snntoolbox as stb
from snntoolbox import demo
from snntoolbox.analysis.conformance.draft import Draft
from snntoolbox.backends.registry import backend_named, backend_names
from snntoolbox.errors import DataError, SNNToolboxError, UnsupportedError
from snntoolbox.ir.feature import Feature
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.part import Threshold
from snntoolbox.ir.parts import Leak
from snntoolbox.ir.result import Record

WORDS = "thresholds that tire"


@dataclass(frozen=True, eq=False)
class Tiring(Threshold):
    """theta[t] = base + r[t]; r[t + 1] = decay r[t] + rise z[t]."""

    features = (Feature("thresholds that rise with spikes and fall again", WORDS),)

    base: float
    rise: float
    decay: float

    def start(self, shape):
        return {"above": np.zeros(shape)}

    def height(self, step, memory):
        return self.base + memory["above"]

    def fired(self, spikes, memory):
        memory["above"] = self.decay * memory["above"] + self.rise * spikes


TIRING = stb.IF(special=(Tiring(1.0, 1.0, 0.5),), initial=0.5)


def network(neuron=TIRING):
    draft = Draft()
    first = draft.neurons(draft.conv(draft.input(2, 5, 6), 4), neuron)
    draft.readout(draft.dense(draft.flat(draft.neurons(draft.conv(first, 4))), 3))
    return draft.network()


def batch(samples=3):
    return np.random.default_rng(0).integers(-16, 17, size=(samples, 2, 5, 6)) / 4


def test_the_interpreter_runs_it():
    """One neuron with a current of 1: each spike costs a threshold that is higher the more there were."""
    draft = Draft()
    draft.readout(draft.neurons(draft.input(1), stb.IF(special=(Tiring(1.0, 1.0, 0.5),)), bias=0.0))
    record = Record(spikes=True, potentials=True)
    found = interpret(draft.network(), np.ones((1, 1)), steps=6, record=record)
    # theta: 1, 2, 1.5, 2.25, 1.625, 2.3125
    assert found.spikes["population0"].ravel().tolist() == [True, False, True, False, True, False]
    assert found.potentials["population0"].ravel().tolist() == [0.0, 1.0, 0.5, 1.5, 0.875, 1.875]


@pytest.mark.parametrize("options", [{"engine": "reference"}, {}, {"chunk": 3}, {"engine": "dense"}], ids=str)
def test_ini_runs_it_to_the_same_spikes(options):
    record, x = Record(spikes=True, potentials=True), batch()
    expected = interpret(network(), x, steps=12, record=record)
    found = stb.simulate(network(), x, duration=12, record=record, **options)
    for kind in ("spikes", "potentials", "counts", "outputs"):
        for name, value in getattr(expected, kind).items():
            assert np.array_equal(getattr(found, kind)[name], value), (kind, name)
    usual = interpret(network(stb.IF(initial=0.5)), x, steps=12, record=record)
    assert not np.array_equal(usual.spikes["population0"], expected.spikes["population0"])


@pytest.mark.parametrize("name", [n for n in backend_names() if n != "INI"])
def test_others_refuse_it_by_its_words(name):
    (offender,) = [o for o in backend_named(name).capabilities.missing(network()) if o.reason == WORDS]
    assert offender.layer == "population0 (conformance IF)"
    with pytest.raises(UnsupportedError, match=f"population0 .*: {WORDS}(.|\n)*simulator = INI can run"):
        stb.simulate(network(), batch(), duration=4, simulator=name)


def test_it_is_saved_and_loaded(tmp_path):
    path = stb.save(network(), tmp_path / "net")
    again = stb.load_network(path)
    (part,) = again.populations["population0"].neuron.special
    assert type(part) is Tiring
    assert (part.base, part.rise, part.decay) == (1.0, 1.0, 0.5)
    ours, theirs = (interpret(n, batch(), steps=8) for n in (network(), again))
    assert np.array_equal(ours.output, theirs.output)


def test_a_file_with_a_part_that_is_not_here_is_refused_by_its_name(tmp_path):
    path = stb.save(network(), tmp_path / "net")
    code = (
        "import snntoolbox as stb\nfrom snntoolbox.errors import DataError\n"
        f"try:\n    stb.load_network({str(path)!r})\nexcept DataError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert f"not known here: {Tiring.__module__}:Tiring" in done.stdout
    assert f"import {Tiring.__module__} first" in done.stdout


def test_a_conversion_takes_it_along_or_refuses_it_by_its_words():
    x = np.load(demo.folder() / "x_norm.npz")["arr_0"][:50]
    graph = stb.load(demo.folder() / "digits_cnn.onnx")
    snn = stb.convert(graph, x, neuron=TIRING, duration=8)
    assert all(p.neuron.special == TIRING.special for p in snn.populations.values())
    assert WORDS in snn.summary()
    assert snn.run(x[:5], duration=8).output.shape == (5, 10)
    for choices in ({"weight_bits": 8}, {"schedule": "phased"}, {"schedule": "differential"}):
        with pytest.raises(SNNToolboxError, match=WORDS):
            stb.convert(graph, x, neuron=TIRING, duration=8, **choices)


def test_a_diagnosis_and_a_comparison_know_what_they_do_not_know():
    x = np.load(demo.folder() / "x_norm.npz")["arr_0"][:20]
    graph = stb.load(demo.folder() / "digits_cnn.onnx")
    diagnosis = stb.diagnose(graph, x, neuron=TIRING, duration=8, seconds=0.1)
    assert "special" in str(diagnosis)
    snn = stb.convert(graph, x, neuron=TIRING, duration=8)
    comparison = stb.compare(snn, x[:3], simulators=["INI", "nest"], duration=8)
    assert WORDS in comparison.side("nest").reason


def test_a_part_that_is_no_class_of_a_module_is_not_saved(tmp_path):
    @dataclass(frozen=True, eq=False)
    class Hidden(Tiring):
        pass

    hidden = replace(TIRING, special=(Hidden(1.0, 1.0, 0.5),))
    with pytest.raises(DataError, match="Hidden cannot be saved"):
        stb.save(network(hidden), tmp_path / "net")
    assert not list(tmp_path.iterdir())


@dataclass(frozen=True, eq=False)
class Quicker(Leak):
    """A part that says nothing of its own: it has the features of another."""

    def integrated(self, potential, current, memory):
        return super().integrated(potential, 2 * current, memory)


@pytest.mark.parametrize("name", ["brian2", "nest", "pynn.nest", "verilog"])
def test_a_part_without_words_of_its_own_is_refused_by_its_name(name):
    own = network(stb.IF(special=(Quicker(0.5),)))
    assert "the part Quicker" in [u.reason for u in backend_named(name).capabilities.missing(own)]
