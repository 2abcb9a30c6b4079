"""Arrays in files: with all their room from the beginning, and looked at before they are read."""

import os
import tempfile

import numpy as np
import pytest
import torch
from torch import nn

import snntoolbox as stb
from snntoolbox.errors import DataError
from snntoolbox.ir.data_range import range_of
from snntoolbox.ir.large_arrays import array_file, check_unchanged, piece, pieces, room

X = np.random.default_rng(0).random((5000, 8), dtype=np.float32)


@pytest.fixture
def file(tmp_path):
    np.save(tmp_path / "x.npy", X)
    return tmp_path / "x.npy"


def cut(file):
    os.truncate(file, 4096)


def rewrite(file):
    with file.open("r+b") as opened:
        opened.seek(200)
        opened.write(bytes(4))
    os.utime(file, ns=(1, 1))


OPENED = {"ours": lambda file: array_file(file, 0), "numpy's": lambda file: np.load(file, mmap_mode="r")}
VIEWS = {
    "itself": lambda x: x,
    "a part": lambda x: x[10:4000:2],
    "plain": lambda x: np.asarray(x)[5:],
    "turned": lambda x: np.asarray(x).T,
}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("opened", OPENED)
def test_a_cut_file_is_told(file, opened, view):
    x = VIEWS[view](OPENED[opened](file))
    check_unchanged(x)
    cut(file)
    with pytest.raises(DataError, match="changed or cut while it was read"):
        check_unchanged(x)


@pytest.mark.parametrize("view", VIEWS)
def test_a_file_that_is_written_to_is_told(file, view):
    x = VIEWS[view](array_file(file, 0))
    rewrite(file)
    with pytest.raises(DataError, match=r"x\.npy was changed"):
        check_unchanged(x)


def test_a_file_that_is_removed_or_replaced_stays_as_it_was(file):
    x = array_file(file, 0)
    np.save(file.with_name("new.npy"), X[:5])
    file.with_name("new.npy").rename(file)
    check_unchanged(x)
    file.unlink()
    np.testing.assert_array_equal(np.concatenate([*pieces(x)]), X)


def test_small_files_are_read_and_do_not_mind(file):
    x = array_file(file)
    cut(file)
    check_unchanged(x)
    np.testing.assert_array_equal(piece(x, 2, 4), X[2:4])


@pytest.mark.parametrize("look", [range_of, lambda x: [*pieces(x)], lambda x: piece(x, 0, 3)])
def test_everyone_who_reads_looks_first(file, look):
    x = np.asarray(array_file(file, 0))
    cut(file)
    with pytest.raises(DataError, match="cut"):
        look(x)


@pytest.mark.parametrize("stage", ["before", "meanwhile"])
def test_a_run_ends_with_a_message(file, stage):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2))
    network = stb.convert(stb.load(net, input_shape=(8,)), X[:50])
    x = array_file(file, 0)
    if stage == "before":
        cut(file)
    with pytest.raises(DataError, match="changed or cut"):
        network.run(x, duration=2, batch_size=50, progress=lambda done: cut(file))


def test_room_is_there_or_refused(monkeypatch):
    assert not isinstance(room((3, 4), np.float32), np.memmap)
    large = room((3, 4), np.float32, 11)
    large[:] = 2
    assert isinstance(large, np.memmap)
    assert large.sum() == 24

    class Full:
        def __enter__(self):
            return self

        def __exit__(self, *args):
            return False

        def write(self, data):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **options: Full())
    with pytest.raises(DataError, match=r"find no room in .*: No space left"):
        room((3, 4), np.float32, 11)
