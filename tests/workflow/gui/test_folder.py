"""Nothing outside the working folder is listed, read or written."""

import pytest

from snntoolbox.errors import ConfigError
from snntoolbox.workflow.gui.folder import UPLOADED, WorkFolder


@pytest.fixture
def work(tmp_path):
    (tmp_path / "secret.onnx").write_text("secret")
    (tmp_path / "report.html").write_text("secret")
    folder = tmp_path / "work"
    (folder / "log" / "test").mkdir(parents=True)
    (folder / "log" / "test" / "report.html").write_text("page")
    (folder / "log" / "test" / "report.json").write_text("{}")
    (folder / "model.onnx").write_text("model")
    (folder / "config.ini").write_text("[paths]")
    (folder / "out").symlink_to(tmp_path)
    (folder / "link.onnx").symlink_to(tmp_path / "secret.onnx")
    (folder / "linked").mkdir()
    (folder / "linked" / "report.html").symlink_to(tmp_path / "report.html")
    return WorkFolder(folder)


@pytest.mark.parametrize("path", ["..", "../secret.onnx", "/etc", "out/secret.onnx", "a/../../b", "link.onnx"])
def test_paths_outside_are_refused(work, path):
    with pytest.raises(ConfigError, match="outside the working folder"):
        work.inside(path)


def test_paths_inside_are_taken(work):
    assert work.inside("log/../model.onnx") == work.path / "model.onnx"
    assert work.inside(work.path) == work.path


def test_what_is_listed(work):
    assert work.models() == ["model.onnx"]
    assert work.configurations() == ["config.ini"]
    assert work.reports() == ["log/test/report.html"]


def test_the_newest_report_is_first(work):
    (work.path / "log" / "later").mkdir()
    (work.path / "log" / "later" / "report.html").write_text("page")
    assert work.reports()[0] == "log/later/report.html"


def test_pages_of_runs_are_served_and_nothing_else(work):
    assert work.page("log/test/report.html") == b"page"
    others = ("log/test/report.json", "config.ini", "../report.html", "linked/report.html", "out/report.html", "log")
    for name in others:
        with pytest.raises(ConfigError):
            work.page(name)


def test_files_that_are_sent(work):
    assert work.save_upload("data", "x_test.npz", b"1").read_bytes() == b"1"
    assert ".npz" in UPLOADED
    assert ".py" not in UPLOADED


@pytest.mark.parametrize(
    ("folder", "name", "told"),
    [
        (".", "model.onnx", "is there already"),
        (".", "link.onnx", "outside"),
        (".", "model.py", "code"),
        (".", "run.sh", "ending"),
        (".", "../x.npz", "no plain name"),
        (".", "a\\b.npz", "no plain name"),
        (".", ".npz", "no plain name"),
        (".", "", "no plain name"),
        ("..", "x.npz", "outside"),
        ("out", "x.npz", "outside"),
    ],
)
def test_files_that_are_not_taken(work, folder, name, told):
    with pytest.raises(ConfigError, match=told):
        work.save_upload(folder, name, b"1")
    assert (work.path / "model.onnx").read_text() == "model"


def test_arrays_of_a_folder(work):
    (work.path / "x_test.npz").write_bytes(b"123")
    assert work.data(work.path) == [("x_test.npz", 3)]
    assert work.data(work.path / "nowhere") == []


def test_one_page_holds_a_folder(work):
    pytest.importorskip("fcntl")
    with work.held(), pytest.raises(ConfigError, match="another page is open"), WorkFolder(work.path).held():
        pass
    with WorkFolder(work.path).held():
        pass
