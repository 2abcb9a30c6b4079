"""The capability table says what the capabilities say."""

import dataclasses
import re

import pytest

from snntoolbox.backends.registry import backend_named, backend_names, plugin_named, roles
from snntoolbox.ir import features as f
from snntoolbox.ir.capabilities import Capabilities
from snntoolbox.workflow.report.capability_table import (
    ROLE,
    VALUES,
    capability_data,
    capability_table,
    lowered_in,
    text_table,
)

NOTHING = Capabilities()
EVERYTHING = Capabilities(features=frozenset(f.FEATURES), latency=1, exact_bits=53, extra="all")
ROWS = {feature.name: feature for feature in f.FEATURES}
ALWAYS = {name for name, feature in ROWS.items() if feature.by_form}
"""What every network brings with it."""


def having(*features):
    return Capabilities(features=frozenset(features))


def cells(table, column):
    """Feature -> cell, without the number of a reason."""
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[2:] if line.startswith("|")]
    return {row[0].strip(): re.sub(r" \(\d+\)$", "", row[column].strip()) for row in rows}


def test_some_features_are_held_by_all():
    assert {"residual and concat", "read-out of spike counts"} <= ALWAYS
    assert len(ROWS) == len(f.FEATURES)


def test_columns_are_the_backends_in_order():
    table = capability_table({"one": NOTHING, "two": EVERYTHING})
    assert table.splitlines()[0] == "| feature | one | two |"
    assert list(cells(table, 1))[: len(ROWS) + 1] == [ROLE, *ROWS]
    for name, feature in ROWS.items():
        without = "lowered" if lowered_in(feature, NOTHING) else "no"
        assert cells(table, 1)[name] == ("yes" if name in ALWAYS else without)
        assert cells(table, 2)[name] == "yes"
    assert [cells(table, 1)[name] for name in VALUES] == ["0", "2^0", "snntoolbox"]
    assert [cells(table, 2)[name] for name in VALUES] == ["1", "2^53", "snntoolbox[all]"]


def test_what_writes_has_its_column():
    roles = {"one": "runs", "two": "writes", "both": "runs, writes"}
    columns = dict.fromkeys(roles, NOTHING)
    assert [cells(capability_table(columns, roles), i)[ROLE] for i in (1, 2, 3)] == list(roles.values())
    assert {name: data[ROLE] for name, data in capability_data(columns, roles).items()} == roles
    lines = text_table(columns, roles).splitlines()[2:4]
    assert [line.split()[1:3] for line in lines] == [["one", "runs"], ["two", "writes"]]
    assert cells(capability_table({"one": NOTHING}), 1)[ROLE] == "runs"


def test_programs_are_told_by_their_debian_packages():
    table = capability_table({"it": Capabilities(programs=("one", "two"))})
    assert cells(table, 1)["installed by"] == "apt-get install one or two"


def test_a_backend_for_the_grid_alone_says_what_brings_a_network_there():
    feature = "weights that are not on an integer grid"
    it = {"it": EVERYTHING.without(f.FLOAT_WEIGHTS)}
    assert cells(capability_table(it), 1)[feature] == "lowered"
    assert "weight_bits" in capability_data(it)["it"]["reasons"][feature]


def test_every_no_has_a_reason_below():
    for column, held in enumerate((NOTHING, EVERYTHING), 1):
        table = capability_table({"one": NOTHING, "two": EVERYTHING})
        for line in table.splitlines()[2:]:
            cell = line.strip("| ").split(" | ")[column].strip() if line.startswith("|") else "yes"
            if cell.startswith(("no", "lowered")):
                number = re.search(r"\(\d+\)$", cell)[0]
                assert any(note.startswith(f"{number} ") for note in table.splitlines()), (cell, held)


def test_a_backends_own_reason_goes_first():
    its = Capabilities(reasons={f.LEAK: "it is made of stone"})
    assert "it is made of stone" in capability_table({"it": its})
    assert capability_data({"it": its})["it"]["reasons"]["leak"] == "it is made of stone"
    assert "maxpool_type = relu_tree" in capability_data({"it": its})["it"]["reasons"]["max pooling"]


def test_lowered_is_only_what_is_lowered():
    """A network with another schedule is refused where there are no pulses, and nothing lowers it: that is a no."""
    pulses = having(f.PULSES)
    table = capability_table({"nothing": NOTHING, "pulses": pulses})
    assert cells(table, 1)["time-varying bias (pulses of current)"] == "no"
    assert cells(table, 1)["input for the first steps alone"] == "no"
    assert [cells(table, column)["firing windows"] for column in (1, 2)] == ["no", "lowered"]
    assert "weight_bits" in capability_data({"it": pulses})["it"]["reasons"]["firing windows"]


def test_reasons_belong_to_rows():
    for name in backend_names():
        assert set(backend_named(name).capabilities.reasons) <= set(f.FEATURES)


def test_a_feature_with_some_resets_names_them():
    some = having(f.LEAK.beside(f.RESET_ZERO), f.LEAK.beside(f.RESET_MODULO), f.REFRACTORY.beside(f.BIAS))
    assert cells(capability_table({"it": some}), 1)["leak"] == "reset modulo, zero"
    assert cells(capability_table({"it": some}), 1)["refractory period"] == "bias"
    assert capability_data({"it": some})["it"]["leak"] == ["modulo", "zero"]


@pytest.mark.parametrize("name", [name for name in ROWS if name not in ALWAYS])
def test_each_row_reads_its_own_feature(name):
    found = cells(capability_table({"it": having(ROWS[name])}), 1)
    assert {row for row, value in found.items() if value == "yes"} - ALWAYS == {name}


def test_features_of_others_have_rows_of_their_own_below():
    others = having(f.LEAK, f.Feature("rust", why_not="it is kept dry"))
    table = capability_table({"theirs": others, "ours": EVERYTHING})
    assert list(cells(table, 1))[len(ROWS) + 1] == "rust"
    assert [cells(table, column)["rust"] for column in (1, 2)] == ["yes", "no"]
    assert "it is kept dry" in table
    assert "rust" not in capability_table({"ours": EVERYTHING})


def test_every_field_of_capabilities_is_shown():
    """A new field must be: each field, changed alone from everything to nothing, changes the table."""
    whole = capability_table({"it": EVERYTHING})
    for field in dataclasses.fields(Capabilities):
        if field.name in ("modules", "reasons", "refuses"):  # the extra installs them; tested above; no rows
            continue
        other = {"programs": ("one",), "installer": "hand"}.get(field.name, getattr(NOTHING, field.name))
        less = dataclasses.replace(EVERYTHING, **{field.name: other})
        assert capability_table({"it": less}) != whole, field.name


def test_text_and_data_say_the_same():
    backends = {name: backend_named(name).capabilities for name in ("INI", "brian2")}
    data, lines = capability_data(backends), text_table(backends).splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split()[:2] for line in lines[2:4]] == [["A", "INI"], ["B", "brian2"]]
    assert data["INI"]["installed here"] is True
    said = " ".join(" ".join(lines).split())
    for feature in ROWS:
        (line,) = [line for line in lines if line.startswith(f"{feature}  ")]
        for name, cell in zip(backends, line[len(feature) :].split(), strict=True):
            assert (cell == "yes") == (data[name][feature] is True)
            assert cell in ("yes", "no") or f" {cell} {data[name]['reasons'][feature]}" in said


def test_the_table_of_all_fits_a_terminal():
    names = roles()
    lines = text_table({name: plugin_named(name).capabilities for name in names}, names).splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.split()[1:3] == ["lava", "both"] for line in lines)
