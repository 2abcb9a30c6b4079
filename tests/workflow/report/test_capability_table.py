"""The capability table says what the capabilities say."""

import dataclasses
import re

import pytest

from snntoolbox.backends.registry import backend_named, backend_names
from snntoolbox.ir.capabilities import Capabilities
from snntoolbox.ir.encodings import ConstantCurrent, Poisson, SpikeTimes
from snntoolbox.ir.neurons import Reset
from snntoolbox.workflow.report.capability_table import FEATURES, VALUES, capability_data, capability_table, text_table

NOTHING = Capabilities()
EVERYTHING = Capabilities(
    signed_input=True,
    bias=True,
    initial=True,
    thresholds=True,
    windows=True,
    pulses=True,
    timed_input=True,
    saturation=True,
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
    encodings=frozenset({ConstantCurrent, Poisson, SpikeTimes}),
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
    "spike-time input": Capabilities(encodings=frozenset({SpikeTimes})),
    "max pooling": Capabilities(max_gate=True),
    "recurrent connections": Capabilities(recurrent=True),
    "negative input values as spikes": Capabilities(signed_input=True),
    "bias": Capabilities(bias=True),
    "initial potential": Capabilities(initial=True),
    "thresholds per neuron": Capabilities(thresholds=True),
    "firing windows": Capabilities(windows=True),
    "time-varying bias (pulses of current)": Capabilities(pulses=True),
    "input for the first steps alone": Capabilities(timed_input=True),
    "potentials that saturate": Capabilities(saturation=True),
    "spikes that carry values (payloads)": Capabilities(levels=True),
    "signed spikes of neurons": Capabilities(signed=True),
    "samples side by side": Capabilities(batches=True),
    "recording of spikes": Capabilities(records=frozenset({"spikes"})),
    "recording of potentials": Capabilities(records=frozenset({"potentials"})),
}

# What every network brings with it, and what none has yet.
ALWAYS = {f for f, row in FEATURES.items() if row.holds(NOTHING)}
NEVER = {f for f, row in FEATURES.items() if not row.holds(EVERYTHING)}


def cells(table, column):
    """Feature -> cell, without the number of a reason."""
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[2:] if line.startswith("|")]
    return {row[0].strip(): re.sub(r" \(\d+\)$", "", row[column].strip()) for row in rows}


def test_each_feature_is_tested():
    assert set(ONE_FEATURE) == set(FEATURES) - ALWAYS - NEVER
    assert {"residual and concat", "read-out of spike counts"} <= ALWAYS
    assert {"synaptic currents that last", "delays of one's own"} <= NEVER


def test_columns_are_the_backends_in_order():
    table = capability_table({"one": NOTHING, "two": EVERYTHING})
    assert table.splitlines()[0] == "| feature | one | two |"
    features = slice(len(FEATURES))
    for name in list(cells(table, 1))[features]:
        without = "lowered" if FEATURES[name].lowered_in(NOTHING) else "no"
        assert cells(table, 1)[name] == ("yes" if name in ALWAYS else without)
        assert cells(table, 2)[name] == ("no" if name in NEVER else "yes")
    assert [cells(table, 1)[name] for name in VALUES] == ["0", "2^0", "snntoolbox"]
    assert [cells(table, 2)[name] for name in VALUES] == ["1", "2^53", "snntoolbox[all]"]


def test_programs_are_told_by_their_debian_packages():
    table = capability_table({"it": Capabilities(programs=("one", "two"))})
    assert cells(table, 1)["installed by"] == "apt-get install one or two"


def test_a_backend_for_the_grid_alone_says_what_brings_a_network_there():
    feature = "weights that are not on an integer grid"
    assert cells(capability_table({"it": Capabilities(grid_only=True)}), 1)[feature] == "lowered"
    assert "weight_bits" in capability_data({"it": Capabilities(grid_only=True)})["it"]["reasons"][feature]


def test_every_no_has_a_reason_below():
    for column, held in enumerate((NOTHING, EVERYTHING), 1):
        table = capability_table({"one": NOTHING, "two": EVERYTHING})
        for line in table.splitlines()[2:]:
            cell = line.strip("| ").split(" | ")[column].strip() if line.startswith("|") else "yes"
            if cell.startswith(("no", "lowered")):
                number = re.search(r"\(\d+\)$", cell)[0]
                assert any(note.startswith(f"{number} ") for note in table.splitlines()), (cell, held)


def test_a_backends_own_reason_goes_first():
    its = Capabilities(reasons={"leak": "it is made of stone"})
    assert "it is made of stone" in capability_table({"it": its})
    assert capability_data({"it": its})["it"]["reasons"]["leak"] == "it is made of stone"
    assert "maxpool_type = relu_tree" in capability_data({"it": its})["it"]["reasons"]["max pooling"]


def test_lowered_is_only_what_is_lowered():
    """A network with another schedule is refused where there are no pulses, and nothing lowers it: that is a no."""
    pulses = Capabilities(pulses=True)
    table = capability_table({"nothing": NOTHING, "pulses": pulses})
    assert cells(table, 1)["time-varying bias (pulses of current)"] == "no"
    assert cells(table, 1)["input for the first steps alone"] == "no"
    assert [cells(table, column)["firing windows"] for column in (1, 2)] == ["no", "lowered"]
    assert "weight_bits" in capability_data({"it": pulses})["it"]["reasons"]["firing windows"]


def test_reasons_belong_to_rows():
    for name in backend_names():
        assert set(backend_named(name).capabilities.reasons) <= set(FEATURES)


def test_a_feature_with_some_resets_names_them():
    some = Capabilities(leak=frozenset({Reset.ZERO, Reset.MODULO}))
    assert cells(capability_table({"it": some}), 1)["leak"] == "reset modulo, zero"


@pytest.mark.parametrize("feature", ONE_FEATURE)
def test_each_row_reads_its_own_capability(feature):
    found = cells(capability_table({"it": ONE_FEATURE[feature]}), 1)
    assert {name for name, value in found.items() if value == "yes"} - ALWAYS == {feature}


def test_every_field_of_capabilities_has_a_row():
    """A new field must be shown: each field, changed alone from everything to nothing, changes the table."""
    whole = capability_table({"it": EVERYTHING})
    for field in dataclasses.fields(Capabilities):
        if field.name in ("modules", "reasons"):  # shown as the extra that installs them, and tested above
            continue
        other = {"grid_only": True, "programs": ("one",)}.get(field.name, getattr(NOTHING, field.name))
        less = dataclasses.replace(EVERYTHING, **{field.name: other})
        assert capability_table({"it": less}) != whole, field.name


def test_text_and_data_say_the_same():
    backends = {name: backend_named(name).capabilities for name in ("INI", "brian2")}
    data, lines = capability_data(backends), text_table(backends).splitlines()
    assert lines[0].split() == ["feature", "INI", "brian2"]
    assert data["INI"]["installed here"] is True
    for feature in FEATURES:
        (line,) = [line for line in lines if line.startswith(f"{feature}  ")]
        no = [word.strip().startswith("no (") for word in line[len(feature) :].split("  ") if word.strip()]
        assert no == [data[name][feature] is False for name in backends]
