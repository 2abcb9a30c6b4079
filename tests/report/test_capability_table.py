"""The capability table says what the capabilities say."""

import dataclasses

import pytest

from snntoolbox.ir.capabilities import Capabilities
from snntoolbox.ir.encodings import ConstantCurrent, Poisson
from snntoolbox.ir.neurons import Reset
from snntoolbox.report.capability_table import FEATURES, VALUES, capability_table

NOTHING = Capabilities()
EVERYTHING = Capabilities(
    signed_input=True,
    bias=True,
    initial=True,
    thresholds=True,
    windows=True,
    pulses=True,
    timed_input=True,
    levels=True,
    signed=True,
    batches=True,
    records=frozenset({"spikes", "potentials"}),
    exact_bits=53,
    extra="all",
    resets=frozenset(Reset),
    leak=True,
    refractory=True,
    max_gate=True,
    encodings=frozenset({ConstantCurrent, Poisson}),
    recurrent=True,
    latency=1,
)
ONE_FEATURE = {
    "constant-current input": Capabilities(encodings=frozenset({ConstantCurrent})),
    "Poisson input": Capabilities(encodings=frozenset({Poisson})),
    "reset by subtraction": Capabilities(resets=frozenset({Reset.SUBTRACT})),
    "reset to a potential": Capabilities(resets=frozenset({Reset.ZERO})),
    "reset by modulo": Capabilities(resets=frozenset({Reset.MODULO})),
    "leak": Capabilities(leak=True),
    "refractory period": Capabilities(refractory=True),
    "max pooling by a gate on spike counts": Capabilities(max_gate=True),
    "recurrent connections": Capabilities(recurrent=True),
    "negative input values as spikes": Capabilities(signed_input=True),
    "bias": Capabilities(bias=True),
    "initial potential": Capabilities(initial=True),
    "thresholds per neuron": Capabilities(thresholds=True),
    "firing windows": Capabilities(windows=True),
    "pulses of current": Capabilities(pulses=True),
    "input for the first steps alone": Capabilities(timed_input=True),
    "spikes that carry values": Capabilities(levels=True),
    "signed spikes": Capabilities(signed=True),
    "samples side by side": Capabilities(batches=True),
    "recording of spikes": Capabilities(records=frozenset({"spikes"})),
    "recording of potentials": Capabilities(records=frozenset({"potentials"})),
}


def cells(table, column):
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    return {row[0].strip(): row[column].strip() for row in rows}


def test_columns_are_the_backends_in_order():
    table = capability_table({"one": NOTHING, "two": EVERYTHING})
    assert table.splitlines()[0] == "| feature | one | two |"
    features = slice(len(FEATURES))
    assert set(list(cells(table, 1).values())[features]) == {"no"}
    assert set(list(cells(table, 2).values())[features]) == {"yes"}
    assert [cells(table, 1)[name] for name in VALUES] == ["0", "2^0", "snntoolbox"]
    assert [cells(table, 2)[name] for name in VALUES] == ["1", "2^53", "snntoolbox[all]"]


def test_a_feature_with_some_resets_names_them():
    some = Capabilities(leak=frozenset({Reset.ZERO, Reset.MODULO}))
    assert cells(capability_table({"it": some}), 1)["leak"] == "with reset modulo, zero"


@pytest.mark.parametrize("feature", FEATURES)
def test_each_row_reads_its_own_capability(feature):
    found = cells(capability_table({"it": ONE_FEATURE[feature]}), 1)
    assert [name for name, value in found.items() if value == "yes"] == [feature]


def test_every_field_of_capabilities_has_a_row():
    """A new field must be shown: each field, changed alone from everything to nothing, changes the table."""
    whole = capability_table({"it": EVERYTHING})
    for field in dataclasses.fields(Capabilities):
        if field.name == "modules":  # the extra that installs them is shown
            continue
        less = dataclasses.replace(EVERYTHING, **{field.name: getattr(NOTHING, field.name)})
        assert capability_table({"it": less}) != whole, field.name


def test_text_and_data_say_the_same():
    from snntoolbox import plugins
    from snntoolbox.report.capability_table import FEATURES, capability_data, text_table

    backends = {name: plugins.backend(name).capabilities for name in ("INI", "brian2")}
    data, lines = capability_data(backends), text_table(backends).splitlines()
    assert lines[0].split() == ["feature", "INI", "brian2"]
    assert data["INI"]["installed here"] is True
    for feature in FEATURES:
        (line,) = [line for line in lines if line.startswith(f"{feature}  ")]
        yes = [word.strip() != "no" for word in line[len(feature) :].split("  ") if word.strip()]
        assert yes == [data[name][feature] is not False for name in backends]
