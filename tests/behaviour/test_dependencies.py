"""Which versions of other packages may be installed: none with a known hole in what is used, and the pinned ones."""

import configparser
import os
import re
from importlib.util import find_spec

import house
import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = house.ROOT.parent

HOLES = {
    "keras": "3.13.1",  # CVE-2026-1669, CVE-2026-1462
    "onnx": "1.20.1",  # CVE-2026-27489
    "torch": "2.9.1",  # CVE-2026-24747
    "pillow": "12.1.0",  # CVE-2026-25990
    "jinja2": "3.1.5",  # CVE-2025-27516
    "distributed": "2026.1.0",  # CVE-2026-23528
    "dask": "2024.8.2",  # CVE-2024-10096
    "nicegui": "3.9.0",  # CVE-2026-39844
    "h5py": "3.12.1",  # CVE-2026-26200 in the HDF5 that it brings
}
"""The newest version of each that has a hole."""


def requirements():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    listed = [setup["options"]["install_requires"], *setup["options.extras_require"].values()]
    lines = [line for text in listed for line in text.splitlines() if line.strip()]
    return [Requirement(line) for line in lines if not line.startswith("snntoolbox[")]


def pins():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return {name.lower().replace("_", "-"): Version(version) for name, version in (line.split("==") for line in lines)}


@pytest.mark.parametrize("name", HOLES)
def test_a_version_with_a_known_hole_is_excluded(name):
    ours = [r for r in requirements() if r.name.lower() == name]
    assert ours
    assert not any(r.specifier.contains(HOLES[name]) for r in ours)


def test_each_pinned_version_is_allowed():
    known = pins()
    for requirement in requirements():
        pinned = known.get(requirement.name.lower().replace("_", "-"))
        assert pinned is None or requirement.specifier.contains(pinned), requirement


def test_each_floor_that_is_for_a_hole_says_which():
    text = (ROOT / "setup.cfg").read_text()
    for name in HOLES.keys() - {"distributed"}:  # it stands under dask, for the same reason
        above = re.search(rf"((?:    #.*\n)+)    {name}>=", text)
        assert above, name
        assert "CVE-" in above[1]


@pytest.mark.skipif(not os.environ.get("CI"), reason="users need not have everything")
def test_in_ci_nothing_skips_for_want_of_a_library():
    """All that some test asks for, in whatever way, and numba, which has a function of its own for that."""
    asked = re.compile(r"""(?:importorskip|needed|find_spec)\(["'](\w+)""")
    sources = [path.read_text("utf-8") for path in (ROOT / "tests").rglob("*.py")]
    modules = {name for text in sources for name in asked.findall(text)} | {"numba"}
    assert len(modules) > 10
    assert [name for name in sorted(modules) if find_spec(name) is None] == []
