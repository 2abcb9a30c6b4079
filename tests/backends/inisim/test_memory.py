"""Memory grows neither with the number of steps nor with the number of runs."""

import subprocess
import sys

import pytest
from waiting import PATIENCE

CODE = """
import resource
import numpy as np
from snntoolbox.backends.inisim.simulation import Simulation
from snntoolbox.analysis.conformance.draft import Draft
from snntoolbox.ir.result import Record
from snntoolbox.conversion.spiking.quantize import Quantize

draft = Draft(exact=False)
first = draft.neurons(draft.conv(draft.input(3, 64, 64), 16, (3, 3), ((1, 1), (1, 1))))
second = draft.neurons(draft.conv(first, 16, (3, 3), ((1, 1), (1, 1))))
draft.readout(draft.dense(draft.flat(draft.average(second, stride=2)), 10))
network = {network}
x = np.random.default_rng(0).random((2, 3, 64, 64))
peaks = []
with Simulation(network, engine="{engine}") as simulation:
    for steps in (64, 64, 256, 1024):
        simulation.run(x, steps=steps, record=Record(outputs_per_step=False))
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
print(*peaks)
"""


@pytest.mark.long
@pytest.mark.parametrize(("network", "engine"), [("draft.network()", "auto"), ("Quantize(8)(draft.network())", "auto")])
def test_memory_does_not_grow_with_the_steps(network, engine):
    code = CODE.format(network=network, engine=engine)
    found = subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE, capture_output=True, text=True)
    _, before, _, after = map(int, found.stdout.split())
    # One layer's spikes of the longest run would take 2 * 65536 * 1024 bytes.
    assert after - before < 20
