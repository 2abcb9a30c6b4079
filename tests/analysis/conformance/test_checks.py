"""Every installed backend passes every conformance case; and the suite notices backends that are wrong."""

import os
from collections import Counter
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from snntoolbox.analysis.conformance import checks
from snntoolbox.analysis.conformance.cases import cases
from snntoolbox.analysis.conformance.checks import ConformanceError, check, check_backend
from snntoolbox.backends.registry import backend_named, backend_names
from snntoolbox.errors import UnsupportedError
from snntoolbox.ir.capabilities import Capabilities
from snntoolbox.ir.features import FEATURES, LEAK, MAX_POOLING
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.neurons import IF, Reset
from snntoolbox.ir.node import LinearNode
from snntoolbox.ir.result import Record

CASES = {case.name: case for case in cases()}


@cache
def backend(name):
    return backend_named(name)


OPTIONS = {"pynn.spiNNaker": {"board": "arithmetic"}}
"""What is run where nobody has the chip."""

ONE_IN = {"INI": 1, "brian2": 6, "pynn.brian2": 8, "pynn.nest": 12, "pynn.neuron": 8}
"""Most cases are long but on INI, and more of those on slow simulators or reached by way of another (PyNN's)."""


def runs():
    """Every case on every backend, but every second one on PyNN with Brian2, which both run every case otherwise."""
    for name in (name for name in backend_names() if name != "lava"):
        for case in list(CASES)[:: 2 if name == "pynn.brian2" else 1]:
            yield pytest.param(name, case, id=f"{name}-{case}", marks=pytest.mark.one_in(ONE_IN.get(name, 3)))


@pytest.mark.parametrize(("name", "case"), [*runs()])
def test_backend_conforms(name, case):
    tested = backend_named(name)
    options = OPTIONS.get(name, {})
    if not options and not tested.capabilities.installed() and not os.environ.get("CI"):
        pytest.skip(f"{name} is not installed")
    check(tested, CASES[case], **options)


def test_names_are_unique():
    assert max(Counter(case.name for case in cases()).values()) == 1


QUIET = ("neuron: negative", "neuron: leak", "neuron: refractory leaks")


@pytest.mark.parametrize("case", [c for c in CASES if not c.startswith(QUIET)])
def test_every_population_of_a_case_spikes(case):
    network = CASES[case].build()
    result = interpret(network, *CASES[case].inputs(network), steps=CASES[case].steps)
    assert all(count.any() for count in result.events.values())


EVERYTHING = Capabilities(features=frozenset(FEATURES))


class Interpreter:
    """A backend that is the reference itself, but for its faults."""

    name = "reference"
    capabilities = EVERYTHING

    def build(self, network):
        self.capabilities.check(self.name, network)
        self.network = network
        return self

    def run(self, *x, steps, record=None, first_sample=0, progress=None):
        return interpret(self.network, *x, steps=steps, record=record, first_sample=first_sample)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


def neurons(**changes):
    """A backend whose neurons are others."""

    class Faulty(Interpreter):
        def build(self, network):
            return super().build(network.with_neurons(**changes))

    return Faulty


def wiring(change):
    """A backend whose linear maps are others."""

    class Faulty(Interpreter):
        def build(self, network):
            nodes = [change(n) for n in network.wiring.nodes.values() if isinstance(n, LinearNode)]
            return super().build(network.replaced(wiring=network.wiring.edited(nodes)))

    return Faulty


def off_by_a_weight(node):
    weight = getattr(node, "weight", None)
    return node if weight is None else replace(node, weight=np.where(weight == weight.flat[0], weight + 1 / 16, weight))


class FiresAboveOnly(Interpreter):
    def build(self, network):
        populations = [
            replace(p, neuron=replace(p.neuron, threshold=p.neuron.threshold + 2.0**-20))
            if isinstance(p.neuron, IF)
            else p
            for p in network.populations.values()
        ]
        return super().build(network.replaced(populations=populations))


class NoBias(Interpreter):
    def build(self, network):
        populations = [replace(p, bias=None) for p in network.populations.values()]
        return super().build(network.replaced(populations=populations))


class ForgetsSampleNumbers(Interpreter):
    def run(self, *x, first_sample=0, **given):
        return super().run(*x, **given)


class KeepsItsState(Interpreter):
    """The second run goes on where the first one ended."""

    runs = 0

    def build(self, network):
        self.runs = 0
        return super().build(network)

    def run(self, *x, steps, record=None, first_sample=0, progress=None):
        self.runs += 1
        found = super().run(*x, steps=self.runs * steps, record=Record(spikes=True), first_sample=first_sample)
        counts = {n: s[-steps:].sum(axis=0) for n, s in found.spikes.items()}
        wanted = super().run(*x, steps=steps, record=record, first_sample=first_sample)
        return replace(wanted, counts=counts)


class MixesSamples(Interpreter):
    def run(self, *x, **given):
        return super().run(*(np.broadcast_to(a.mean(axis=0), a.shape) for a in x), **given)


class RecordsEverything(Interpreter):
    def run(self, *x, record=None, **given):
        return super().run(*x, record=Record(spikes=True, potentials=True), **given)


class RefusesNothing(Interpreter):
    capabilities = EVERYTHING.without(LEAK)

    def build(self, network):
        self.network = network
        return self


class RefusesVaguely(Interpreter):
    capabilities = EVERYTHING.without(LEAK)

    def build(self, network):
        raise UnsupportedError("this backend", [])


# fault -> (backend, a case that must notice it, what it says)
FAULTS = {
    "fires above the threshold only": (FiresAboveOnly, "neuron: tie at the threshold", "population0"),
    "resets to zero": (neurons(reset=Reset.ZERO), "neuron: subtract", "population0"),
    "no leak": (neurons(leak=1.0), "neuron: leak", "population0"),
    "refractory too short": (neurons(refractory=1), "neuron: refractory", "population0"),
    "no start potential": (neurons(initial=0.0), "neuron: start", "population0"),
    "no saturation": (neurons(saturation=None), "integer grid: residual, potentials that saturate", "population"),
    "no bias": (NoBias, "neuron: bias", "population0"),
    "a weight is wrong": (wiring(off_by_a_weight), "map: convolution, 2 axes", "population1: .* first at index"),
    "sample numbers are forgotten": (ForgetsSampleNumbers, "network: poisson", "population0"),
    "state is kept": (KeepsItsState, "repeated: residual", "counts of"),
    "samples are mixed": (MixesSamples, "batched: residual", "sample 0 alone"),
    "too much is recorded": (RecordsEverything, "recorded: perceptron", "wanted"),
    "runs what it cannot": (RefusesNothing, "neuron: leak", "taken, although its capabilities lack leak"),
    "refuses without a reason": (RefusesVaguely, "neuron: leak", "without naming population0 .*: leak"),
}


@pytest.mark.parametrize(("faulty", "case", "message"), FAULTS.values(), ids=FAULTS)
def test_a_wrong_backend_is_noticed(faulty, case, message):
    check(Interpreter(), CASES[case])
    with pytest.raises(ConformanceError, match=f"^{case}: .*{message}"):
        check(faulty(), CASES[case])


@pytest.mark.parametrize("every", [12, pytest.param(1, marks=pytest.mark.long)])
def test_all_failures_are_told_at_once(every, monkeypatch):
    tried = [*dict.fromkeys(["neuron: bias", "network: residual", *[*CASES][::every]])]
    monkeypatch.setattr(checks, "cases", lambda: [CASES[name] for name in tried])
    outcomes = check_backend(Interpreter())
    assert list(outcomes) == tried
    assert set(outcomes.values()) == {"passed"}
    with pytest.raises(ConformanceError, match=r"cases failed:(.|\n)*neuron: bias: (.|\n)*network: residual"):
        check_backend(NoBias())


def test_what_is_lacking_is_refused():
    class NoGate(Interpreter):
        capabilities = EVERYTHING.without(MAX_POOLING)

    assert check(NoGate(), CASES["network: gate"]) == "refused"
