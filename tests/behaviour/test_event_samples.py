"""Recordings of real cameras, event for event.

They are not part of the repository: SNNTOOLBOX_ZOO names their folder, by default ``shared`` beside the checkout.
"""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from snntoolbox.workflow.data.events.reading import read_recording

FOLDER = Path(os.environ.get("SNNTOOLBOX_ZOO", Path(__file__).parents[3] / "shared")) / "data"
pytestmark = pytest.mark.skipif(not (FOLDER / "events").is_dir(), reason="no recordings")

# What aedat and dv-processing, expelliarmus, tonic and SciPy read of them.
KNOWN = {
    "sample.aedat4": (111954, (1605537493718345, 154, 204, False), (1605537494308262, 88, 237, True)),
    "sample_ncars.dat": (2009, (0, 25, 8, False), (99952, 75, 28, True)),
    "sample_nmnist.bin": (4325, None, None),
    "sample_stmnist.mat": (2346, None, None),
}


@pytest.mark.parametrize("name", KNOWN)
def test_samples(name):
    recording, (count, *ends) = read_recording(FOLDER / "events" / name), KNOWN[name]
    assert len(recording) == count
    for i, event in zip((0, -1), ends, strict=True):
        found = (recording.t[i], recording.x[i], recording.y[i], recording.on[i])
        assert event is None or found == event


def test_three_hundred_of_n_mnist(tmp_path):
    with zipfile.ZipFile(FOLDER / "nmnist_train300_bs2.zip") as archive:
        archive.extractall(tmp_path)
    for path in tmp_path.glob("*.bs2"):
        raw = np.fromfile(path, np.uint8).reshape(-1, 5).astype(int)
        recording = read_recording(path, (34, 34))
        kept = raw[raw[:, 1] != 240]
        columns = np.stack([recording.x, recording.y, recording.on], 1)
        np.testing.assert_array_equal(columns, kept[:, :3] // [1, 1, 128])
