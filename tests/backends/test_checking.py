"""What a backend or an exporter may have beside what each must have: a cost, and a way to prepare ahead."""

import numpy as np
import pytest
from drawn import network, samples

import snntoolbox as stb
from snntoolbox.backends import registry
from snntoolbox.backends.checking import announce, check_simulator, exporter_capabilities, simulators_for
from snntoolbox.backends.estimates import Cost
from snntoolbox.backends.inisim.backend import InisimBackend
from snntoolbox.backends.protocol import Costly, HasOptions, PreparesAhead, ReadsBack
from snntoolbox.errors import TooLargeError, UnsupportedError
from snntoolbox.ir.features import RECORDED_POTENTIALS


class Expensive(InisimBackend):
    """The built-in simulator, for one synapse."""

    name = "expensive"
    cost = Cost(neuron_bytes=1, synapse_bytes=1, seconds=1.0, most_synapses=1)


@pytest.fixture
def expensive(monkeypatch):
    """It, found by its name, beside the built-in one."""
    known = {"INI": InisimBackend(), "expensive": Expensive()}
    monkeypatch.setattr(registry.plugins, "names", lambda group: list(known) if group == registry.BACKENDS else [])
    monkeypatch.setattr(registry.plugins, "load", lambda group, name, *rest: known[name])


def test_a_cost_bounds_what_a_backend_is_given(expensive):
    check_simulator(InisimBackend(), network())
    with pytest.raises(TooLargeError, match=r"too large for backend 'expensive'.*limit: 1 synapses"):
        check_simulator(Expensive(), network())
    check_simulator(Expensive(), network(), force=True)
    assert simulators_for(network()) == (["INI"], ["expensive"])
    assert simulators_for(network(), force=True) == (["INI", "expensive"], [])


def test_who_prepares_ahead_hears_of_all_samples_and_others_do_not(monkeypatch):
    net = network()
    x = [np.repeat(a, 3, axis=0) for a in samples(net)]
    simulation = type(InisimBackend().build(net))
    heard = []
    monkeypatch.setattr(simulation, "expect", lambda self, samples: heard.append(samples))
    stb.simulate(net, x, duration=2, batch_size=4)
    assert heard == [6]
    announce(object(), 6)


def test_what_each_has_is_told_by_its_members():
    assert isinstance(Expensive(), Costly)
    assert not isinstance(InisimBackend(), Costly)
    assert isinstance(InisimBackend().build(network()), PreparesAhead)
    fpga = registry.exporter_named("fpga")
    assert isinstance(fpga, HasOptions)
    assert isinstance(fpga, ReadsBack)
    assert not isinstance(InisimBackend(), HasOptions | ReadsBack)


def test_capabilities_of_exporters_are_theirs():
    assert exporter_capabilities()["fpga"] is registry.exporter_named("fpga").capabilities


def test_an_exporter_that_cannot_be_loaded_is_left_out(monkeypatch):
    from importlib.metadata import EntryPoint

    points = [EntryPoint("broken", "nothing_of_this_name:Exporter", registry.EXPORTERS)]
    monkeypatch.setattr(registry.plugins, "entry_points", lambda group: points if group == registry.EXPORTERS else [])
    registry.plugins.entries.cache_clear()
    assert exporter_capabilities() == {}
    monkeypatch.undo()
    registry.plugins.entries.cache_clear()


def test_what_is_not_recorded_is_refused_before_anything_runs(monkeypatch):
    net, bare = network(), InisimBackend.capabilities.without(RECORDED_POTENTIALS)
    monkeypatch.setattr(InisimBackend, "capabilities", bare)
    with pytest.raises(UnsupportedError, match="recording of potentials") as caught:
        stb.simulate(net, samples(net, 1), duration=2, record=stb.Record(potentials=True))
    assert "brian2" in caught.value.hint
    assert "INI" not in caught.value.hint
    assert stb.simulate(net, samples(net, 1), duration=2, record=stb.Record(spikes=True)).spikes
