import enum
import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest

from snntoolbox.errors import ConfigError, SNNToolboxError
from snntoolbox.ir import files as writer
from snntoolbox.ir.files import MARKER, OutputError, RunFolder, write_json


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


def earlier(path):
    """The results of a run that succeeded."""
    with RunFolder(path) as folder:
        (folder / "report.json").write_text("earlier")
        (folder / "plots").mkdir()
        (folder / "plots" / "a.png").write_text("picture")
    return path


def test_files_are_there_after_success(tmp_path):
    path = earlier(tmp_path / "log" / "run")
    assert (path / "plots" / "a.png").read_text() == "picture"
    assert os.listdir(path.parent) == ["run"]


def test_a_second_run_replaces_the_first(tmp_path):
    path = earlier(tmp_path / "run")
    with RunFolder(path) as folder:
        (folder / "report.json").write_text("later")
        assert (path / "report.json").read_text() == "earlier"
    assert sorted(os.listdir(path)) == [MARKER, "report.json"]
    assert (path / "report.json").read_text() == "later"
    assert os.listdir(tmp_path) == ["run"]


ERRORS = {
    "ours": (ConfigError("bad"), ConfigError),
    "a defect": (RuntimeError("oops"), RuntimeError),
    "ctrl-c": (KeyboardInterrupt(), KeyboardInterrupt),
    "exit": (SystemExit(1), SystemExit),
    "full disk": (OSError(errno.ENOSPC, "No space left on device"), OutputError),
    "cut short": (OSError("8000 requested and 512 written"), OutputError),
    "file elsewhere": (FileNotFoundError(errno.ENOENT, "No such file", "/data/x.npz"), FileNotFoundError),
}


@pytest.mark.parametrize("first", [True, False], ids=["nothing before", "results before"])
@pytest.mark.parametrize("case", ERRORS)
def test_any_error_leaves_what_was_there(tmp_path, case, first):
    path = tmp_path / "run"
    if not first:
        earlier(path)
    error, expected = ERRORS[case]

    def run():
        with RunFolder(path) as folder:
            (folder / "report.json").write_text("broken")
            raise error

    with pytest.raises(expected):
        run()
    assert os.listdir(tmp_path) == ([] if first else ["run"])
    assert first or (path / "report.json").read_text() == "earlier"


def test_a_full_disk_says_what_to_do(tmp_path):
    with pytest.raises(OutputError, match=r"no space.*untouched") as caught, RunFolder(tmp_path / "run"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert str(tmp_path / "run") in str(caught.value)
    assert "path_wd" in caught.value.hint


@pytest.mark.parametrize("failing", [1, 2], ids=["setting aside", "putting in place"])
def test_a_failing_swap_puts_the_old_results_back(tmp_path, monkeypatch, failing):
    path, calls, rename = earlier(tmp_path / "run"), [], Path.rename

    def broken(self, target):
        calls.append(self)
        if len(calls) == failing:
            raise OSError(errno.EACCES, "Permission denied", str(self))
        return rename(self, target)

    monkeypatch.setattr(writer.Path, "rename", broken)
    with pytest.raises(OutputError, match="permission"), RunFolder(path) as folder:
        (folder / "report.json").write_text("later")
    assert (path / "report.json").read_text() == "earlier"
    assert os.listdir(tmp_path) == ["run"]


def test_existing_results_are_refused_before_any_work(tmp_path):
    path = earlier(tmp_path / "run")
    with pytest.raises(SNNToolboxError, match="exists already"), RunFolder(path, overwrite=False):
        pytest.fail("the run began")
    with RunFolder(tmp_path / "other", overwrite=False) as folder:
        (folder / "a").touch()
    assert (tmp_path / "other" / "a").exists()


def test_files_of_the_user_are_never_replaced(tmp_path):
    (tmp_path / "thesis.tex").write_text("years")
    with pytest.raises(OutputError, match="not results of a run"), RunFolder(tmp_path):
        pytest.fail("the run began")
    assert os.listdir(tmp_path) == ["thesis.tex"]


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "run").mkdir()
    with RunFolder(tmp_path / "run") as folder:
        (folder / "a").touch()
    assert (tmp_path / "run" / "a").exists()


@pytest.mark.parametrize("where", ["run", "run/below"])
def test_a_file_in_the_way_is_named(tmp_path, where):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(OutputError, match="is a file"), RunFolder(tmp_path / where):
        pytest.fail("the run began")


def test_a_folder_without_permission_is_named(tmp_path, monkeypatch):
    def refuse(**_):
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path))

    monkeypatch.setattr(writer.tempfile, "mkdtemp", refuse)  # a mode would not stop root, who runs many CI jobs
    with pytest.raises(OutputError, match="permission") as caught, RunFolder(tmp_path / "run"):
        pytest.fail("the run began")
    assert str(tmp_path / "run") in str(caught.value)
    assert "permissions" in caught.value.hint


def test_the_folder_has_ordinary_permissions(tmp_path):
    (tmp_path / "plain").mkdir()
    with RunFolder(tmp_path / "run"):
        pass
    assert (tmp_path / "run").stat().st_mode == (tmp_path / "plain").stat().st_mode
