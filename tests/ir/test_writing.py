"""Files: whole or as they were, whatever happens on the way."""

import enum
import json
import os
from pathlib import Path

import numpy as np
import pytest

from snntoolbox.ir.writing import OutputError, check_writable, replacing, write_json, write_text


class Colour(enum.Enum):
    RED = "red"


VALUES = {
    "scalars": ({"b": np.float32(0.5), "a": np.int64(3), "c": np.bool_(True)}, {"a": 3, "b": 0.5, "c": True}),
    "arrays": ({"a": np.arange(6).reshape(2, 3)}, {"a": [[0, 1, 2], [3, 4, 5]]}),
    "not finite": ({"a": [float("nan"), np.inf, np.array([-np.inf, 1.0])]}, {"a": [None, None, [None, 1.0]]}),
    "no number": ({"a": np.float64("nan")}, {"a": None}),
    "others": ({"p": Path("a/b"), "e": Colour.RED, "t": (1, 2), "s": {"y", "x"}, "n": None},
               {"p": "a/b", "e": "red", "t": [1, 2], "s": ["x", "y"], "n": None}),
    "keys": ({np.int64(2): 1, "é": {"z": 1, "y": 2}}, {"2": 1, "é": {"y": 2, "z": 1}}),
}  # fmt: skip


@pytest.mark.parametrize("case", VALUES)
def test_json_holds_the_values(tmp_path, case):
    data, expected = VALUES[case]
    write_json(tmp_path / "report.json", data)
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8")) == expected


def test_json_does_not_depend_on_the_order_of_keys(tmp_path):
    write_json(tmp_path / "a", {"x": {"c": 1, "b": 2}, "a": 0})
    write_json(tmp_path / "b", {"a": 0, "x": {"b": 2, "c": 1}})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_json_is_written_whole_or_not_at_all(tmp_path):
    write_json(tmp_path / "report.json", {"a": 1})
    with pytest.raises(TypeError, match="object"):
        write_json(tmp_path / "report.json", {"a": object()})
    assert json.loads((tmp_path / "report.json").read_text()) == {"a": 1}
    assert os.listdir(tmp_path) == ["report.json"]


def test_json_into_a_missing_folder_is_an_error_of_ours(tmp_path):
    with pytest.raises(OutputError, match="cannot write"):
        write_json(tmp_path / "missing" / "report.json", {})


# -- one file -------------------------------------------------------------------------------------------------------


FAILURES = {"an error": ValueError("x"), "ctrl-c": KeyboardInterrupt(), "full": OSError(28, "No space left on device")}


@pytest.mark.parametrize("earlier", [None, b"earlier"], ids=["new", "replaced"])
@pytest.mark.parametrize("case", FAILURES)
def test_a_file_is_as_it_was_after_any_error(tmp_path, case, earlier):
    path = tmp_path / "a.ini"
    if earlier is not None:
        path.write_bytes(earlier)

    def write():
        with replacing(path) as file:
            file.write(b"half")
            raise FAILURES[case]

    with pytest.raises((type(FAILURES[case]), OutputError)):
        write()
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == ({} if earlier is None else {"a.ini": earlier})


def test_it_is_not_seen_before_it_is_whole(tmp_path):
    path = tmp_path / "a"
    with replacing(path) as file:
        file.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"


def test_a_link_stays_a_link_and_permissions_stay(tmp_path):
    (tmp_path / "there").mkdir()
    real, link, nowhere = tmp_path / "there" / "real", tmp_path / "link", tmp_path / "nowhere"
    real.write_text("earlier")
    real.chmod(0o640)
    link.symlink_to(real)
    nowhere.symlink_to(tmp_path / "there" / "later")
    write_text(link, "new")
    write_text(nowhere, "new")
    assert link.is_symlink()
    assert real.read_text() == "new" == (tmp_path / "there" / "later").read_text()
    assert real.stat().st_mode & 0o777 == 0o640


def test_a_new_file_has_ordinary_permissions(tmp_path):
    (tmp_path / "plain").touch()
    write_text(tmp_path / "made", "x")
    assert (tmp_path / "made").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_the_longest_name(tmp_path):
    write_text(tmp_path / ("n" * 255), "x")
    with pytest.raises(OutputError, match="too long"):
        write_text(tmp_path / ("n" * 256), "x")


PLACES = {
    "a folder": (lambda folder: folder.mkdir(), "it is no file"),
    "a device": (lambda folder: os.mkfifo(folder), "it is no file"),
    "below a file": (lambda folder: folder.parent.rmdir() or folder.parent.touch(), "a part of the path is a file"),
    "nowhere": (lambda folder: folder.parent.rmdir(), "its folder does not exist"),
}


@pytest.mark.parametrize("case", PLACES)
def test_where_no_file_can_be(tmp_path, case):
    prepare, words = PLACES[case]
    path = tmp_path / "below" / "a"
    path.parent.mkdir()
    prepare(path)
    for attempt in (lambda: write_text(path, "x"), lambda: check_writable(path)):
        with pytest.raises(OutputError, match=words):
            attempt()


def test_a_try_changes_nothing(tmp_path):
    path = tmp_path / "a"
    check_writable(path)
    assert not path.exists()
    path.write_text("mine")
    check_writable(path)
    assert os.listdir(tmp_path) == ["a"]
    assert path.read_text() == "mine"


def test_names_that_are_not_utf_8(tmp_path):
    name = os.fsdecode(b"caf\xe9")
    write_text(tmp_path / "a", name)
    assert (tmp_path / "a").read_bytes() == b"caf\xe9"
    write_json(tmp_path / "b", {"name": name})
    assert json.loads((tmp_path / "b").read_text("utf-8")) == {"name": name}
