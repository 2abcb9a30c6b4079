"""What is asked to be recorded is there, or the run is refused before it begins."""

import numpy as np
import pytest

from snntoolbox.analysis.conformance.draft import Draft
from snntoolbox.backends.simulate import simulate
from snntoolbox.errors import ArgumentError
from snntoolbox.ir.result import Record


@pytest.fixture
def network():
    draft = Draft(exact=False)
    draft.readout(draft.dense(draft.neurons(draft.dense(draft.input(4), 3)), 2))
    return draft.network()


@pytest.mark.parametrize("field", ["spikes", "potentials"])
def test_an_unknown_population_is_named(network, field):
    (name,) = network.populations
    x = np.zeros((2, 4), np.float32)
    with pytest.raises(ArgumentError, match=f"(?s)no population {name}_ to record.*it has {name}"):
        simulate(network, x, duration=3, record=Record(**{field: {name, f"{name}_"}}))
    found = simulate(network, x, duration=3, record=Record(**{field: {name}}))
    assert list(getattr(found, field)) == [name]
