"""Energy: the formula on known counts, and a table that stands beside its sources."""

import re
from pathlib import Path

import pytest

from snntoolbox.analysis.energy import DEVICES, AnalogueWork, Work, analogue_energy, energy, spiking_energy

DOCS = Path(__file__).parents[2] / "docs" / "energy.md"
BY_NAME = {device.name: device for device in DEVICES}


def test_the_sum_of_operations_times_their_costs():
    work = Work(synaptic=1000.0, updates=200, inputs=50)
    assert spiking_energy(BY_NAME["45 nm CMOS, float32"], work) == pytest.approx((900 + 180 + 4.6 * 25) * 1e-12)
    assert spiking_energy(BY_NAME["Loihi"], work) == pytest.approx((23_600 + 16_200) * 1e-12)
    assert spiking_energy(BY_NAME["TrueNorth"], work) == pytest.approx(26_000e-12)
    original = AnalogueWork(macs=300, others=40)
    assert analogue_energy(BY_NAME["45 nm CMOS, int8"], original) == pytest.approx((90 + 4) * 1e-12)
    assert analogue_energy(BY_NAME["Loihi"], original) is None


def test_a_report_says_what_it_is_and_where_it_is_from():
    said = energy(Work(synaptic=1.0, updates=1), None)
    assert "estimate" in said["unit"]
    assert "published" in said["assumptions"]
    assert list(said["devices"]) == [device.name for device in DEVICES]
    assert all(d["source"] and d["covers"] and d["original"] is None for d in said["devices"].values())


def test_the_documentation_has_the_table_with_its_sources():
    lines = [line.strip("| ") for line in DOCS.read_text().splitlines() if "pJ |" in line]
    rows = [[cell.strip() for cell in line.split("|")] for line in lines]
    numbered = dict(re.findall(r"^(\d)\. (\S+ \w.+?):", DOCS.read_text(), re.M))
    assert [row[0] for row in rows] == [device.name for device in DEVICES]
    for row, device in zip(rows, DEVICES, strict=True):
        costs = [None if not cell else float(cell.split()[0]) for cell in row[1:4]]
        assert costs == [device.synaptic, device.update, device.mac]
        assert device.source.startswith(numbered[row[5].strip("[]")].split(" et al")[0])
