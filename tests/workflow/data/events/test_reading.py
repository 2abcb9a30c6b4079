"""Each kind of file gives the events that are in it, and is refused where it is damaged."""

import struct

import event_files as files
import numpy as np
import pytest
from scipy.io import savemat

from snntoolbox.errors import DataError
from snntoolbox.workflow.data.events.reading import READERS, read_recording

EVENTS = files.events()
T, X, Y, ON = EVENTS
BYTES = {
    "a.bin": files.nmnist(*EVENTS),
    "a.bs2": files.nmnist(*EVENTS),
    "a.dat": files.dat(*EVENTS),
    "v1.aedat": files.aedat1(*EVENTS),
    "v2.aedat": files.aedat2(*EVENTS),
    "v3.aedat": files.aedat3(files.packet(*(part[:15] for part in EVENTS)), files.packet(*(p[15:] for p in EVENTS))),
}


def written(folder, name, data):
    (folder / name).write_bytes(data)
    return folder / name


def check(recording, t=T, x=X, y=Y, on=ON):
    for got, expected in zip((recording.t, recording.x, recording.y, recording.on), (t, x, y, on), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("name", BYTES)
def test_event_for_event(name, tmp_path):
    check(read_recording(written(tmp_path, name, BYTES[name])))


@pytest.mark.parametrize("structure", ["", "TD"])
def test_mat(structure, tmp_path):
    files.mat(tmp_path / "a.mat", *EVENTS, structure=structure)
    check(read_recording(tmp_path / "a.mat"))


def test_mat_counted_from_one(tmp_path):
    files.mat(tmp_path / "a.mat", T, X + 1, Y + 1, ON + 1, structure="TD")
    check(read_recording(tmp_path / "a.mat"))


def test_spike_trains_of_sensors(tmp_path):
    trains = np.zeros((101, 3))
    trains[100] = [0.001, 0.002, 0.0025]
    trains[[12, 99, 12], [0, 1, 2]] = [1, -1, -1]
    savemat(tmp_path / "a.mat", {"spiketrain": trains})
    recording = read_recording(tmp_path / "a.mat")
    check(recording, [1000, 2000, 2500], [2, 9, 2], [1, 9, 1], [True, False, False])
    assert recording.chip == (10, 10)


@pytest.mark.parametrize(
    ("name", "chip"), [("v1.aedat", (128, 128)), ("v2.aedat", (240, 180)), ("v3.aedat", (128, 128))]
)
def test_chip_that_a_file_names(name, chip, tmp_path):
    assert read_recording(written(tmp_path, name, BYTES[name])).chip == chip


def test_chip_in_the_head_of_a_dat(tmp_path):
    head = b"% Height 6\n% Width 8\n% Version 2\n"
    assert read_recording(written(tmp_path, "a.dat", files.dat(*EVENTS, head=head))).chip == (8, 6)


def test_other_signals_are_left_out(tmp_path):
    special, frame = struct.pack(">II", 1 << 10, 5), struct.pack(">II", 1 << 31, 6)
    head, rest = BYTES["v2.aedat"][:-8 * len(T)], BYTES["v2.aedat"][-8 * len(T):]  # fmt: skip
    check(read_recording(written(tmp_path, "a.aedat", head + special + frame + rest)))
    some = [part[:2] for part in EVENTS]
    motion, invalid = files.packet(*some, kind=3), files.packet(*some, valid=0)
    check(read_recording(written(tmp_path, "b.aedat", files.aedat3(motion, invalid, files.packet(*EVENTS)))))


def test_counters_that_run_over(tmp_path):
    late = (T + 2**32 - 500) % 2**32
    for name, data in (("a.dat", files.dat(late, X, Y, ON)), ("a.aedat", files.aedat2(late, X, Y, ON))):
        np.testing.assert_array_equal(read_recording(written(tmp_path, name, data)).t, T + 2**32 - 500)
    first, second = (files.nmnist(*(part[i : i + 1] for part in EVENTS)) for i in (0, 1))
    data = first + bytes((0, 240, 0, 32, 0)) + second
    np.testing.assert_array_equal(read_recording(written(tmp_path, "a.bin", data)).t, [T[0], T[1] + 2**13])
    data = files.aedat3(files.packet(*EVENTS), files.packet(*EVENTS, overflow=1))
    np.testing.assert_array_equal(read_recording(written(tmp_path, "c.aedat", data)).t, [*T, *(T + 2**31)])


BACK = (T[::-1], X, Y, ON)
BROKEN = {
    "cut.bin": (BYTES["a.bin"][:-2], "is cut"),
    "cut.dat": (BYTES["a.dat"][:-3], "is cut"),
    "head.dat": (b"% Version 2", "is cut in its head"),
    "only_head.dat": (b"% Version 2\n", "is cut behind its head"),
    "magic.dat": (BYTES["a.bin"], "is no .dat"),
    "words.dat": (b"% Version 2\n\x00\x10" + bytes(16), "has events of 16 bytes"),
    "cut1.aedat": (BYTES["v1.aedat"][:-1], "is cut"),
    "cut2.aedat": (BYTES["v2.aedat"][:-5], "is cut"),
    "cut3.aedat": (BYTES["v3.aedat"][:-8], "is cut or damaged"),
    "packet.aedat": (BYTES["v3.aedat"] + b"\x01\x00\x01", "is cut in the head of a packet"),
    "huge.aedat": (files.aedat3(struct.pack("<HHIIIIII", 1, 1, 8, 4, 0, *[2**32 - 1] * 3)), "4294967295 events"),
    "wide.aedat": (files.aedat3(struct.pack("<HHIIIIII", 1, 1, 16, 4, 0, 1, 1, 1) + bytes(16)), "events of 16 bytes"),
    "head3.aedat": (b"#!AER-DAT3.1\r\n#Format: RAW\r\n", "its head has no"),
    "squeezed.aedat": (b"#!AER-DAT3.1\r\n#Format: SerializedTS\r\n" + files.END_OF_HEAD, "SerializedTS"),
    "two.aedat": (BYTES["v3.aedat"] + files.packet(*EVENTS).replace(b"\x01\x00\x01", b"\x01\x00\x02", 1), "2 cameras"),
    "magic.aedat": (b"\x89PNG" * 40, "is no AEDAT"),
    "magic.aedat4": (b"\x89PNG" * 40, "is no AEDAT"),
    "five.aedat": (b"#!AER-DAT5.0\r\n", "is no AEDAT"),
    "back.bin": (files.nmnist(*BACK), "time runs back at event 1"),
    "back.dat": (files.dat(*BACK), "time runs back"),
    "back2.aedat": (files.aedat2(*BACK), "time runs back"),
    "back3.aedat": (files.aedat3(files.packet(*BACK)), "time runs back"),
    "outside.aedat": (files.aedat2(T, X + 300, Y, ON), "a chip of 240 x 180 ends at"),
    "outside3.aedat": (files.aedat3(files.packet(T, X, Y + 200, ON)), "a chip of 128 x 128"),
    "magic.mat": (b"no such file" * 40, "is no .mat file"),
    "cut.raw": (b"% evt 3.0\n% geometry 8x6\n" + bytes(3), "is cut"),
    "evt21.raw": (b"% format EVT21;width=8;height=6\n" + bytes(8), "does not say that it is EVT 2 or EVT 3"),
    "magic.raw": (bytes(80), "is no .raw"),
    **{f"empty{end}": (b"", "empty") for end in READERS},
    **{f"none{end}": (data, "holds no events") for end, data in
       ((".dat", b"% Version 2\n\x00\x08"), (".aedat", b"#!AER-DAT2.0\r\n"), (".bs2", b""))},
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_damaged_files_are_refused_by_name(name, tmp_path):
    data, reason = BROKEN[name]
    with pytest.raises(DataError, match=reason) as error:
        read_recording(written(tmp_path, name, data))
    assert name in error.value.message
    assert error.value.hint


MATS = {
    "nothing": {"a": [1]},
    "lengths": {"x": X, "y": Y, "t": T[:-1], "p": ON},
    "fractions": {"x": X, "y": Y, "t": T / 1e6, "p": ON},
    "polarity": {"x": X, "y": Y, "t": T, "p": ON + 7},
    "nan": {"x": X, "y": Y, "t": np.full(len(T), np.nan), "p": ON},
    "trains": {"spiketrain": np.zeros((50, 3))},
    "values": {"spiketrain": np.full((101, 3), 7.0)},
}


@pytest.mark.parametrize("held", MATS)
def test_mat_files_that_hold_no_events(held, tmp_path):
    savemat(tmp_path / "a.mat", MATS[held])
    with pytest.raises(DataError, match=r"a\.mat"):
        read_recording(tmp_path / "a.mat")


def test_pixels_outside_the_chip_that_is_set(tmp_path):
    path = written(tmp_path, "a.bin", BYTES["a.bin"])
    with pytest.raises(DataError, match="a chip of 4 x 6 ends at"):
        read_recording(path, (4, 6))


def test_files_that_are_no_files(tmp_path):
    (tmp_path / "a.bin").mkdir()
    with pytest.raises(DataError):
        read_recording(tmp_path / "a.bin")
