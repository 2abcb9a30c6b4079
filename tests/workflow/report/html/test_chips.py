"""Energy and time of a model of a chip, on the page of a run and in a comparison."""

import pytest
from pages import whole

from snntoolbox.workflow.report.html.chips import chip_cards, chip_section
from snntoolbox.workflow.report.terminal import quantity

LOIHI = {"total energy (J)": 4e-5, "synapse energy (J)": 3e-5, "soma energy (J)": 1e-5, "time (s)": 1.5e-3, "odd": 2.0}
TRUENORTH = {"total energy (J)": 0.0, "synapse energy (J)": 0.0, "time (s)": 1.0}


def rows(section):
    ((header, found, _),) = section.values["tables"]
    return header, {name: cells for name, *cells in found}


def test_energies_have_units_and_shares():
    header, found = rows(chip_section({"sanafe": LOIHI}))
    assert header == ("per sample", "sanafe", "share")
    assert found["total energy"] == ["40 uJ", ""]
    assert found["synapse energy"] == ["30 uJ", "75.0%"]
    assert found["time"] == ["1.5 ms", ""]
    assert found["odd"] == ["2", ""]


def test_two_stand_side_by_side():
    header, found = rows(chip_section({"sanafe": LOIHI, "<other>": TRUENORTH}))
    assert header == ("per sample", "sanafe", "<other>")
    assert found["total energy"] == ["40 uJ", "0 pJ"]
    assert found["soma energy"] == ["10 uJ", "-"]


def test_nothing_is_a_share_of_nothing():
    assert rows(chip_section({"sanafe": TRUENORTH}))[1]["synapse energy"] == ["0 pJ", ""]


def test_counts_have_no_unit_and_no_share():
    header, found = rows(chip_section({"pynn.spiNNaker": {"cores": 12345.0, "chips": 6.0}}))
    assert header == ("per sample", "pynn.spiNNaker")
    assert found == {"cores": ["12345"], "chips": ["6"]}


def test_names_of_others_are_text():
    html = str(chip_section({"<b>x</b>": {"<script> (J)": 1.0}}).html)
    assert "b" not in whole(html).tags
    assert "<script>" not in html


def test_the_first_screen_has_energy_and_time():
    assert [(what, value) for what, value, _ in chip_cards(LOIHI, "sanafe")] == [
        ("Total energy per sample on the chip", "40 uJ"), ("Time per sample on the chip", "1.5 ms"),
    ]  # fmt: skip
    assert list(chip_cards({}, "INI")) == []


@pytest.mark.parametrize(("value", "text"), [(2.0, "2 s"), (0.0012, "1.2 ms"), (3e-10, "300 ps"), (0.0, "0 ps")])
def test_quantities_have_three_digits(value, text):
    assert quantity(value, "s") == text
