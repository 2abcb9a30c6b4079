"""What the library writes is read event for event; what is damaged is refused, though it ends the library's process."""

import event_files as files
import numpy as np
import pytest

from snntoolbox.errors import DataError
from snntoolbox.workflow.data.events.reading import read_recording

faery = pytest.importorskip("faery")
T, X, Y, ON = EVENTS = files.events(3000)


def write(path, **options):
    array = np.zeros(len(T), faery.EVENTS_DTYPE)
    for name, values in zip(("t", "x", "y", "on"), EVENTS, strict=True):
        array[name] = values
    faery.events_stream_from_array(array, (8, 6)).to_file(path, **options)
    return path


@pytest.mark.parametrize(
    ("name", "options"), [("a.aedat4", {}), ("a.raw", {"version": "evt2"}), ("b.raw", {"version": "evt3"})]
)
def test_event_for_event(name, options, tmp_path):
    recording = read_recording(write(tmp_path / name, **options))
    for got, expected in zip((recording.t, recording.x, recording.y, recording.on), EVENTS, strict=True):
        np.testing.assert_array_equal(got, expected)
    assert recording.chip == (8, 6)


def test_version_4_by_the_name_of_the_others(tmp_path):
    write(tmp_path / "a.aedat4").rename(tmp_path / "b.aedat")
    assert len(read_recording(tmp_path / "b.aedat")) == len(T)


def test_a_head_that_names_no_size(tmp_path):
    data = write(tmp_path / "a.raw", version="evt2").read_bytes()
    head = b"% format EVT2;width=8;height=6\n% geometry 8x6\n"
    assert head in data
    (tmp_path / "a.raw").write_bytes(data.replace(head, b""))
    assert read_recording(tmp_path / "a.raw").chip is None


@pytest.mark.parametrize("name", ["a.aedat4", "a.raw"])
def test_damaged_files(name, tmp_path, capfd):
    whole = write(tmp_path / name).read_bytes()
    rng, refused = np.random.default_rng(0), 0
    for _ in range(12):
        data = bytearray(whole)
        for place in rng.integers(30, 300, 8):
            data[place] ^= 0xFF
        (tmp_path / name).write_bytes(data[: len(data) // 2 + 1])
        try:
            read_recording(tmp_path / name)
        except DataError as error:
            refused += name in error.message
    assert refused > 6
    assert "panicked" not in capfd.readouterr().err
