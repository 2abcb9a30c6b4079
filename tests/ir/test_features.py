"""The table of features is whole, and a network asks for what it has, layer by layer."""

from collections import Counter

import numpy as np

from snntoolbox.analysis.conformance.cases import cases
from snntoolbox.analysis.conformance.draft import Draft
from snntoolbox.ir import features as f
from snntoolbox.ir.encodings import ConstantCurrent
from snntoolbox.ir.neurons import IF, Negative, Reset

HOST = {f.SIGNED_INPUT, f.BATCHES, *f.RECORDINGS}
"""What no network asks for: it depends on the samples, or on what is to be recorded."""


def asked(network):
    return {(a.layer, a.feature) for a in f.features(network)}


def test_names_and_words_tell_rows_apart():
    assert max(Counter(feature.name for feature in f.FEATURES).values()) == 1
    assert max(Counter(feature.words for feature in f.FEATURES).values()) == 1


def test_every_constant_is_a_row_of_the_table():
    constants = {value for value in vars(f).values() if isinstance(value, f.Feature)}
    assert constants == {*f.FEATURES, *f.MEANINGLESS}


def test_every_row_is_asked_for_by_some_case_of_conformance():
    """A row without a case would be held by backends that were never tested for it."""
    found = [a for case in cases() for a in f.features(case.build())]
    asks = {f.OWN_PARTS if a.own_part else a.feature for a in found}
    assert set(f.FEATURES) - asks == HOST | {feature for feature in f.FEATURES if feature.by_form}


def test_layers_ask_under_their_own_names():
    draft = Draft()
    first = draft.neurons(draft.input(3, coding=ConstantCurrent(steps=2)), IF(leak=0.5), bias=0.0)
    neuron = IF(initial=0.5, reset=Reset.SUBTRACT, negative=Negative.MEMORY, threshold=np.array([1.0, 2.0, 1.0]))
    draft.readout(draft.neurons(first, neuron, bias=0.25, pulses={1: np.ones(3)}))
    one, two = "population0 (conformance IF)", "population1 (conformance IF)"
    assert asked(draft.network()) == {
        *((one, feature) for feature in (f.RESET_SUBTRACT, f.LEAK)),
        *((two, feature) for feature in (f.RESET_SUBTRACT, f.INITIAL_POTENTIAL, f.SIGNED_SPIKES)),
        *((two, feature) for feature in (f.THRESHOLDS, f.BIAS, f.PULSES)),
        *(("input9", feature) for feature in (f.CONSTANT_INPUT, f.TIMED_INPUT)),
        ("model", f.FLOAT_WEIGHTS),
    }


def test_the_company_of_a_feature_is_what_its_layer_asks_for():
    draft = Draft()
    draft.readout(draft.neurons(draft.input(1), IF(leak=0.5, reset=Reset.ZERO), bias=0.0))
    (company,) = {a.company for a in f.features(draft.network()) if a.feature == f.LEAK}
    assert company == {f.LEAK, f.RESET_ZERO}


def test_a_feature_beside_another_is_another_one():
    assert f.LEAK.beside(f.RESET_ZERO) != f.LEAK
    assert f.LEAK.beside(f.RESET_ZERO) == f.LEAK.beside(f.RESET_ZERO)
    assert f.LEAK.beside(f.RESET_ZERO).words == "leak"
