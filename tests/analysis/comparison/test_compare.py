"""Right simulators compare as equal; one that is wrong in one respect is found at its first spike, with the reason."""

import json
from dataclasses import replace

import numpy as np
import pytest
from comparison_fakes import CAN, Changed, Fake

import snntoolbox as stb
from snntoolbox.analysis.comparison import side as running
from snntoolbox.analysis.comparison.compare import compare
from snntoolbox.analysis.comparison.comparison import Cause, Status
from snntoolbox.analysis.comparison.rasters import StoredRasters
from snntoolbox.analysis.comparison.replay import replayable
from snntoolbox.analysis.comparison.side import Task
from snntoolbox.analysis.conformance.draft import Draft
from snntoolbox.analysis.conformance.networks import NETWORKS
from snntoolbox.errors import ArgumentError, BackendError, DataError, TooLargeError
from snntoolbox.ir import features
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.result import Record
from snntoolbox.ir.writing import write_json

STEPS = 24


def drawn(name, exact=True):
    draft = Draft(exact=exact)
    NETWORKS[name](draft)
    return draft.network()


def samples(network, count=4):
    random = np.random.default_rng(2)
    return [random.integers(-16, 17, size=(count, *network.wiring.shapes[n])) / 16 for n in network.encodings]


def compared(network, *fakes, **options):
    x = options.pop("x", None) or samples(network)
    return compare(network, x, simulators=["INI", *fakes], duration=STEPS, **options)


@pytest.mark.parametrize("name", ["perceptron", "residual", "poisson", "two codings", "every neuron differs"])
@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_a_right_simulator_is_equal(name, batch_size):
    found = compared(drawn(name), Fake(), batch_size=batch_size)
    side = found.side("fake")
    assert found.equal
    assert found.complete
    assert side.differing_cells == 0
    assert side.compared == side.samples == 4
    assert side.agreement == 1.0
    network = drawn(name)
    expected = interpret(network, *samples(network), steps=STEPS)
    for population, count in expected.counts.items():
        assert found.side("INI").spikes[population] == side.spikes[population] == count.sum() / 4
        assert side.cells[population] == count.size * STEPS


FAULTS = {
    "zero": (Fake(zero=True), "perceptron", Cause.RESET, "reset 'zero'"),
    "zero, deep": (Fake(zero=True), "residual", Cause.RESET, "reset 'zero'"),
    "above only": (Fake(strict=True), "perceptron", Cause.COMPARISON, "by >"),
    "above only, convolutions": (Fake(strict=True), "residual", Cause.COMPARISON, "by >"),
    "spikes a step late": (Fake(late=1), "perceptron", Cause.DELAY, "incoming spikes 1 step later"),
    "spikes two steps late": (Fake(late=2), "residual", Cause.DELAY, "incoming spikes 2 steps later"),
    "starts a step late": (Fake(shift=1), "perceptron", Cause.DELAY, "the raster 1 step later"),
    "other trains": (Fake(sample=lambda n: n + 100), "poisson", Cause.INPUT, "reads the coded input input9"),
    "trains of sample 0": (Fake(sample=lambda n: 0), "poisson", Cause.INPUT, "random numbers of sample 0"),
    "rounded weights": (Fake(noise=0.01), "perceptron", Cause.ROUNDING, "the currents that its potentials show"),
    "rounded weights, convolutions": (Fake(noise=0.01), "residual", Cause.ROUNDING, "the currents"),
    "other weights": (Fake(noise=0.9), "perceptron", Cause.UNKNOWN, "other weights"),
    "not the same twice": (Fake(zero=True, restless=True), "perceptron", Cause.UNKNOWN, "second run"),
}


@pytest.mark.parametrize(("fake", "name", "cause", "evidence"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_named(fake, name, cause, evidence):
    network, fake = drawn(name), replace(fake)
    found = compared(network, fake)
    assert not found.equal
    assert not found.as_expected or cause is Cause.ROUNDING
    at = found.side("fake").divergence
    assert (at.cause, at.departs) == (cause, ("fake",))
    assert evidence in at.evidence
    check_place(network, fake, found, at)


def test_currents_are_told_where_potentials_saturate():
    """What a limit takes away is no current: rounded weights are found to be that."""
    network = drawn("perceptron").with_neurons(saturation=(-0.5, 1.25))
    assert compared(network, Fake()).equal
    found = compared(network, Fake(noise=0.01))
    at = found.side("fake").divergence
    assert (at.cause, at.departs) == (Cause.ROUNDING, ("fake",))
    assert "the currents that its potentials show" in at.evidence


def check_place(network, fake, found, at):
    """The cell differs, and before it nothing does."""
    x = samples(network)
    ours = interpret(network, *x, steps=STEPS, record=Record(spikes=True))
    fake.runs = 0
    theirs = fake.run(*x, steps=STEPS, record=Record(spikes=True))
    if fake.restless:
        return
    order = [n for n in network.targets if n in network.populations]
    for name in order:
        wrong = ours.spikes[name] != theirs.spikes[name]
        assert found.side("fake").differing[name] == wrong.sum()
        assert not wrong[:, : at.sample].any()
        last = at.step - 1 + (order.index(name) < order.index(at.population))
        assert not wrong[:last, at.sample].any()
    cell = (at.step - 1, at.sample, *at.position)
    assert ours.spikes[at.population][cell] == at.reference.spiked != at.simulator.spiked
    assert at.layer == network.populations[at.population].label
    neuron = network.populations[at.population].neuron
    for one in (at.reference, at.simulator):
        if not fake.noise and one.spiked == (one.before >= at.threshold):
            # Who departs in the comparison itself does not follow from `before`.
            assert one.after == pytest.approx(one.before - at.threshold * one.spiked, abs=1e-6) or fake.zero
    assert at.reference.before >= neuron.threshold - 1e-9 if at.reference.spiked else True


def test_float32_rounding_is_told():
    """Float weights: a simulator in half precision rounds, and nothing else."""
    network = drawn("perceptron", exact=False)
    random = np.random.default_rng(5)
    x = [random.uniform(-1, 1, size=(60, *network.wiring.shapes[n])) for n in network.encodings]
    found = compared(network, Fake(dtype=np.float16), x=x)
    assert found.side("fake").divergence.cause is Cause.ROUNDING
    assert found.as_expected
    assert not found.equal


def test_ties_of_floats_are_rounding_without_potentials():
    blind = CAN.without(features.RECORDED_POTENTIALS)
    network = drawn("perceptron")
    found = compared(network, Fake(noise=1e-9, capabilities=blind))
    at = found.side("fake").divergence
    assert at.cause in (Cause.ROUNDING, Cause.COMPARISON)
    assert at.simulator.before is None
    assert at.reference.before is not None


def test_the_reference_may_be_the_one_that_departs():
    network = drawn("perceptron")
    found = compare(network, samples(network), simulators=[Fake(zero=True), "INI"], duration=STEPS)
    at = found.side("INI").divergence
    assert (at.cause, at.departs) == (Cause.RESET, ("fake",))


def test_a_recorded_pool_by_a_gate():
    network = drawn("gate")
    found = compare(network, samples(network), simulators=["INI", Fake()], duration=STEPS)
    assert found.side("fake").status is Status.REFUSED
    assert "max pooling by a gate" in found.side("fake").reason


# -- simulators that do not run -----------------------------------------------------------------------------------


def test_who_is_missing_or_refuses_is_listed_and_the_others_run():
    network = drawn("perceptron")
    sides = [
        Fake("absent", capabilities=replace(CAN, modules=("no_such_simulator",), extra="sim")),
        Fake("unable", capabilities=CAN.without(features.BIAS)),
        Fake("blind", capabilities=CAN.without(*features.RECORDINGS)),
        Fake("first"),
        Fake("second"),
    ]
    found = compare(network, samples(network), simulators=sides, duration=STEPS)
    assert [s.status for s in found.sides] == ["missing", "refused", "refused", "ran", "ran"]
    assert "pip install 'snntoolbox[sim]'" in found.side("absent").reason
    assert "population0" in found.side("unable").reason
    assert "can run all of these" in found.side("unable").reason
    assert "recording of spikes" in found.side("blind").reason
    assert found.reference == "first"
    assert found.equal
    assert not found.complete


@pytest.mark.parametrize("batches", [True, False])
def test_who_dies_keeps_what_is_finished(batches):
    network = drawn("perceptron")
    fake = Fake(dies_at=3, capabilities=CAN if batches else CAN.without(features.BATCHES))
    found = compared(network, fake, Fake("after"), batch_size=2)
    side = found.side("fake")
    assert side.status is Status.DIED
    assert "SIGKILL" in side.reason
    assert side.samples == side.compared == (2 if batches else 3)
    assert side.differing_cells == 0
    assert found.side("after").samples == 4
    assert not found.complete


def test_a_reference_that_dies_is_compared_as_far_as_it_came():
    network = drawn("perceptron")
    found = compare(network, samples(network), simulators=[Fake(dies_at=3), "INI"], duration=STEPS, batch_size=2)
    assert found.reference == "fake"
    assert (found.side("INI").samples, found.side("INI").compared) == (4, 2)


def test_a_defect_of_a_simulator_does_not_stop_the_others():
    class Broken(Fake):
        def run(self, *x, **options):
            raise ZeroDivisionError("by zero")

    network = drawn("perceptron")
    found = compare(network, samples(network), simulators=[Broken("broken"), "INI", Fake()], duration=STEPS)
    assert (found.side("broken").status, found.side("broken").samples) == ("died", 0)
    assert "ZeroDivisionError: by zero" in found.side("broken").reason
    assert found.reference == "INI"
    assert found.equal


def test_what_a_simulator_finds_wrong_with_the_data_is_a_refusal():
    class Narrow(Fake):
        def run(self, *x, **options):
            raise BackendError("potentials may reach 9, and its neurons hold 8")

    network = drawn("perceptron")
    found = compare(network, samples(network), simulators=["INI", Narrow("narrow"), Fake()], duration=STEPS)
    assert (found.side("narrow").status, found.side("narrow").samples) == ("refused", 0)
    assert "its neurons hold 8" in found.side("narrow").reason
    assert found.equal


def test_too_large_is_refused_unless_forced():
    class Small(Fake):
        def build(self, network, *, force=False):
            if not force:
                raise TooLargeError("the network is too large for backend 'fake'")
            return super().build(network)

    network = drawn("perceptron")
    assert compared(network, Small()).side("fake").status is Status.REFUSED
    assert compared(network, Small(), force=True).equal


# -- accuracy, agreement, what is refused, what is written ------------------------------------------------------------


def test_accuracy_and_agreement():
    network = drawn("perceptron")
    x = samples(network)
    right = interpret(network, *x, steps=STEPS).predictions
    labels = np.where(np.arange(4) == 0, (right + 1) % 4, right)
    found = compare(network, x, simulators=["INI", Fake()], duration=STEPS, labels=labels, predictions=right)
    for one in found.sides:
        assert (one.accuracy, one.ann_agreement) == (0.75, 1.0)
    assert found.side("INI").agreement is None


WRONG = {
    "one": (["INI"], {}, BackendError, "two simulators or more"),
    "twice": (["INI", "INI"], {}, BackendError, "INI is named twice"),
    "unknown": (["INI", "nix"], {}, BackendError, "no simulator named 'nix'|no backend named 'nix'"),
    "labels": (["INI", Fake()], {"labels": np.zeros(3)}, DataError, "3 labels for 4 samples"),
    "time": (["INI", Fake()], {"duration": 2.5}, stb.SNNToolboxError, "no whole number of steps"),
    "batch": (["INI", Fake()], {"batch_size": 0}, DataError, "batch_size = 0"),
}


@pytest.mark.parametrize(("simulators", "options", "kind", "message"), WRONG.values(), ids=WRONG)
def test_what_is_refused(simulators, options, kind, message):
    network = drawn("perceptron")
    with pytest.raises(kind, match=message):
        compare(network, samples(network), simulators=simulators, **options)


def test_it_is_written_as_json(tmp_path):
    found = compared(drawn("perceptron"), Fake(zero=True))
    write_json(tmp_path / "compare.json", found.as_dict())
    read = json.loads((tmp_path / "compare.json").read_text())
    assert read["equal"] is False
    assert read["sides"][1]["divergence"]["cause"] == "reset rule"
    assert read["sides"][1]["status"] == "ran"


def test_it_is_there_under_the_packages_name():
    assert stb.compare is compare
    assert callable(stb.compare)


def test_samples_are_run_in_pieces_that_fit(monkeypatch):
    network = drawn("perceptron")
    task = Task(network, samples(network, 7), steps=10, batch_size=4)
    assert list(task.pieces(True)) == [(0, 4), (4, 7)]
    assert list(task.pieces(False)) == [(i, i + 1) for i in range(7)]
    monkeypatch.setattr(running, "MOST_CELLS", 2 * 10 * network.neurons + 1)
    assert list(task.pieces(True)) == [(0, 2), (2, 4), (4, 6), (6, 7)]


def test_rasters_on_disk(tmp_path):
    random = np.random.default_rng(0)
    whole = {"a/b": random.random((5, 7, 3, 2)) < 0.5, "..": random.random((5, 7, 9)) < 0.5}
    stored = StoredRasters(tmp_path)
    for first, stop in ((0, 3), (3, 4), (4, 7)):
        stored.add({n: s[:, first:stop] for n, s in whole.items()})
    assert stored.samples == 7
    for first, stop in ((0, 7), (2, 5), (3, 4), (6, 12)):
        for name, found in stored.read(first, stop).items():
            np.testing.assert_array_equal(found, whole[name][:, first:stop])
    assert stored.read(7, 9) == {}


# values of spikes -> bytes that one takes on disk, as neither less nor more would do
VALUES = {
    "signs": ([-1.0, 0.0, 1.0], 1),
    "bursts": ([0.0, 1.0, 2.0, 3.0], 1),
    "many": ([0.0, 300.0, -300.0], 2),
    "halves": ([-1.0, -0.5, 0.0, 0.0078125, 1.0], 4),
    "large": ([0.0, 2.0**40, 1e30], 8),
    "thirds": ([0.0, 1 / 3], 8),
}


@pytest.mark.parametrize(("values", "size"), VALUES.values(), ids=VALUES)
def test_values_on_disk(tmp_path, values, size):
    spikes = np.random.default_rng(0).choice(values, size=(10, 7, 1000))
    plain = spikes > 0
    stored = StoredRasters(tmp_path)
    for first, stop in ((0, 3), (3, 7)):
        stored.add({"a": spikes[:, first:stop], "b": plain[:, first:stop]})
    found = stored.read(2, 5)
    np.testing.assert_array_equal(found["a"], spikes[:, 2:5])
    np.testing.assert_array_equal(found["b"], plain[:, 2:5])
    assert found["b"].dtype == bool
    used = sum(p.stat().st_size for p in tmp_path.iterdir())
    assert used == pytest.approx(spikes.size * (size + 1 / 8), rel=0.05)


def graded(name):
    """A network whose spikes carry values or signs."""
    if name != "bursts":
        return drawn(name)
    return drawn("perceptron").with_neurons(levels=(1.0, 2.0, 3.0))


@pytest.mark.parametrize("name", ["bursts", "differences", "signed spikes"])
def test_spikes_that_carry_values_are_compared(name):
    network = graded(name)
    found = compared(network, Changed(), batch_size=3)
    assert found.equal
    expected = interpret(network, *samples(network), steps=STEPS)
    for population, count in expected.events.items():
        assert found.side("INI").spikes[population] == found.side("fake").spikes[population] == count.sum() / 4
    refused = compared(network, Fake())
    assert refused.side("fake").status is Status.REFUSED
    assert not refused.equal


@pytest.mark.parametrize(("name", "change"), [("bursts", lambda s: np.minimum(s, 1)), ("signed spikes", np.abs)])
def test_spikes_of_another_value_differ(name, change):
    network = graded(name)
    spikes = interpret(network, *samples(network), steps=STEPS, record=Record(spikes=True)).spikes
    found = compared(network, Changed(change))
    wrong = {n: int(np.count_nonzero(change(s) != s)) for n, s in spikes.items()}
    assert found.side("fake").differing == wrong
    assert sum(wrong.values())
    at = found.side("fake").divergence
    cell = (at.step - 1, at.sample, *at.position)
    value = spikes[at.population][cell]
    assert at.reference.spiked
    assert at.evidence.startswith(f"the spike is {change(value):g} on fake and {value:g} on INI; ")


def last_of(network):
    return [n for n in network.targets if n in network.populations][-1]


def test_a_first_difference_behind_spikes_of_parts_is_told():
    """Trains of halves and quarters are replayed: who departs is told, and how."""
    network = graded("differences")
    last = last_of(network)
    spikes = interpret(network, *samples(network), steps=STEPS, record=Record(spikes=True)).spikes
    (source,) = network.sources[network.populations[last].current]
    assert np.any(spikes[source] % 1), "fractions arrive"
    late = Changed(lambda s: np.concatenate([np.zeros_like(s[:1]), s[:-1]]), only=last)
    at = compared(network, late).side("fake").divergence
    assert (at.population, at.cause, at.departs) == (last, Cause.DELAY, ("fake",))
    assert "the raster 1 step later leaves 0 of" in at.evidence
    other = compared(network, Changed(lambda s: -s, only=last)).side("fake").divergence
    assert (other.population, other.departs) == (last, ("fake",))
    assert other.reference.before is not None


def test_spikes_of_any_value_are_not_replayed():
    """More values than neurons have levels are no spikes."""
    assert not replayable(np.random.default_rng(0).random(100))
    assert replayable(np.array([0.5, -0.5, 3.0, 1e30, 0.0]))
    assert not replayable(np.array([np.nan]))
    assert replayable(np.ones(3, bool))


def test_options_for_nobody_are_refused():
    with pytest.raises(ArgumentError, match="options for ini, which are not compared"):
        compared(drawn("perceptron"), Fake(), options={"ini": {"engine": "dense"}})
