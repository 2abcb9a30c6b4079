"""Small networks on the integer grid for the tests of deployment."""

import numpy as np

from snntoolbox.analysis.conformance.draft import Draft
from snntoolbox.analysis.conformance.networks import NETWORKS
from snntoolbox.conversion.spiking.quantize import Quantize


def network(name="perceptron", bits=8):
    """A network of the conformance suite."""
    draft = Draft()
    NETWORKS[name](draft)
    return Quantize(bits)(draft.network()) if bits else draft.network()


def samples(net, count=2):
    random = np.random.default_rng(2)
    return [random.integers(-16, 17, (count, *net.wiring.shapes[n])) / 16 for n in net.encodings]
