import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from snntoolbox.errors import ConfigError, SNNToolboxError
from snntoolbox.ir.files import MARKER, OutputError, RunFolder


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

    monkeypatch.setattr("tempfile.mkdtemp", refuse)  # a mode would not stop root, who runs many CI jobs
    with pytest.raises(OutputError, match="permission") as caught, RunFolder(tmp_path / "run"):
        pytest.fail("the run began")
    assert str(tmp_path / "run") in str(caught.value)
    assert "permissions" in caught.value.hint


def test_the_folder_has_ordinary_permissions(tmp_path):
    (tmp_path / "plain").mkdir()
    with RunFolder(tmp_path / "run"):
        pass
    assert (tmp_path / "run").stat().st_mode == (tmp_path / "plain").stat().st_mode


# -- what is the user's ---------------------------------------------------------------------------------------------


def results(path, *names, text="later"):
    with RunFolder(path) as folder:
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)


def content(folder):
    """All files below a folder, our marker and empty folders left out."""
    files = (p for p in folder.rglob("*") if p.is_file() and p.name != MARKER)
    return {p.relative_to(folder).as_posix(): p.read_text() for p in files}


def change(path, text="mine"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


OWN = {
    "notes": (lambda run: change(run / "notes.txt"), {"notes.txt": "mine"}),
    "a folder": (lambda run: change(run / "mine" / "deep" / "a"), {"mine/deep/a": "mine"}),
    "beside our pictures": (lambda run: change(run / "plots" / "b.png"), {"plots/b.png": "mine"}),
    "a picture that was changed": (lambda run: change(run / "plots" / "a.png"), {"plots/a.png": "mine"}),
    "a report that was changed": (lambda run: change(run / "report.json"), {"report.json.kept": "mine"}),
    "results of another run": (lambda run: results(run / "other", "report.json", text="other"),
                               {"other/report.json": "other"}),
    "a folder where a file comes": (lambda run: (run / "report.json").unlink() or change(run / "report.json" / "a"),
                                    {"report.json.kept/a": "mine"}),
    "a file where a folder comes": (lambda run: change(run / "tables"), {"tables.kept": "mine"}),
    "what is kept already": (lambda run: change(run / "report.json") or change(run / "report.json.kept", "first"),
                             {"report.json.kept": "first", "report.json.kept-2": "mine"}),
}  # fmt: skip


@pytest.mark.parametrize("case", OWN)
def test_files_of_the_user_stay(tmp_path, case, caplog):
    put, kept = OWN[case]
    path = earlier(tmp_path / "run")
    put(path)
    results(path, "report.json", "tables/a")
    assert content(path) == {"report.json": "later", "tables/a": "later", **kept}
    assert ("is kept as" in caplog.text) == any(".kept" in name for name in kept)
    assert os.listdir(tmp_path) == ["run"]
    results(path, "report.json", text="third")
    assert content(path) == {"report.json": "third", **kept}


def test_files_of_the_user_that_come_during_the_run_stay(tmp_path):
    path = earlier(tmp_path / "run")
    with RunFolder(path) as folder:
        change(folder / "report.json", "later")
        change(path / "notes.txt")
    assert content(path) == {"report.json": "later", "notes.txt": "mine"}


def test_a_link_of_the_user_is_not_followed(tmp_path):
    path, disk = earlier(tmp_path / "run"), tmp_path / "disk"
    (path / "plots").rename(disk)
    (path / "plots").symlink_to(disk)
    results(path, "plots/a.png")
    assert content(path)["plots/a.png"] == "later"
    assert (disk / "a.png").read_text() == "picture"
    assert (path / "plots.kept").is_symlink()


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b"\xff"], ids=repr)
def test_where_it_is_not_known_what_is_ours_all_stays(tmp_path, damage):
    path = earlier(tmp_path / "run")
    (path / MARKER).write_bytes(damage)
    results(path, "report.json")
    assert content(path) == {"report.json": "later", "report.json.kept": "earlier", "plots/a.png": "picture"}


def test_equal_content_is_not_kept_twice(tmp_path):
    path = earlier(tmp_path / "run")
    (path / MARKER).write_text("")
    results(path, "report.json", text="earlier")
    assert content(path) == {"report.json": "earlier", "plots/a.png": "picture"}


# -- places ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("there", [True, False], ids=["there", "dangling"])
def test_a_link_to_a_folder(tmp_path, there):
    real, link = tmp_path / "disk" / "real", tmp_path / "run"
    real.parent.mkdir()
    link.symlink_to(real)
    if there:
        real.mkdir()
    results(link, "report.json")
    assert link.is_symlink()
    assert content(real) == {"report.json": "later"}


def test_links_that_lead_to_one_another(tmp_path):
    (tmp_path / "run").symlink_to(tmp_path / "run")
    with pytest.raises(OutputError), RunFolder(tmp_path / "run"):
        pytest.fail("the run began")


def test_the_folder_one_is_in(tmp_path, monkeypatch):
    path = earlier(tmp_path / "run")
    monkeypatch.chdir(path)
    results(".", "report.json")
    assert os.path.exists("report.json")
    assert content(path) == {"report.json": "later"}


def test_a_mount_point(tmp_path, monkeypatch):
    """What is collected beside it cannot be moved into it; so it is collected in it."""
    path, rename = tmp_path / "run", Path.rename
    path.mkdir()
    (path / "lost+found").mkdir()

    def within(self, target):
        if self.is_relative_to(path) != Path(target).is_relative_to(path):
            raise OSError(errno.EXDEV, "Invalid cross-device link", str(self))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", within)
    for text in ("first", "second"):
        results(path, "report.json", "plots/a.png", text=text)
        assert content(path) == {"report.json": text, "plots/a.png": text}
        assert sorted(os.listdir(path)) == [MARKER, "lost+found", "plots", "report.json"]
        assert os.listdir(tmp_path) == ["run"]


BAD_ENDS = {
    "a file": lambda path: change(path),
    "a folder of the user's": lambda path: change(path / "notes.txt"),
}


@pytest.mark.parametrize("case", BAD_ENDS)
def test_what_comes_in_the_way_during_the_run_costs_no_results(tmp_path, case, caplog):
    target = RunFolder(tmp_path / "run")
    with target as folder:
        change(folder / "report.json", "later")
        BAD_ENDS[case](tmp_path / "run")
    assert target.path == tmp_path / "run-2"
    assert content(target.path) == {"report.json": "later"}
    assert sorted(os.listdir(tmp_path)) == ["run", "run-2"]
    assert f"the results are in '{target.path}'" in caplog.text


def test_results_that_must_not_be_replaced_and_come_during_the_run(tmp_path):
    target = RunFolder(tmp_path / "run", overwrite=False)
    with target as folder:
        change(folder / "report.json", "later")
        earlier(tmp_path / "run")
    assert content(tmp_path / "run")["report.json"] == "earlier"
    assert content(target.path) == {"report.json": "later"}


def test_a_folder_that_is_removed_during_the_run(tmp_path):
    path = earlier(tmp_path / "run")
    with RunFolder(path) as folder:
        change(folder / "report.json", "later")
        shutil.rmtree(path)
    assert content(path) == {"report.json": "later"}


def test_two_runs_at_once(tmp_path):
    path = tmp_path / "run"
    first, second = RunFolder(path), RunFolder(path)
    one, two = first.__enter__(), second.__enter__()
    change(one / "report.json", "one")
    change(two / "report.json", "two")
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert content(path) == {"report.json": "two"}
    assert os.listdir(tmp_path) == ["run"]


@pytest.mark.parametrize("failing", range(1, 8))
def test_a_move_that_fails_leaves_the_earlier_results(tmp_path, monkeypatch, failing):
    """The new ones are then beside them, whole."""
    path, calls, rename = earlier(tmp_path / "run"), [], Path.rename
    change(path / "report.json")
    target = RunFolder(path)

    def broken(self, there):
        if str(there).startswith(str(path)) or str(self).startswith(str(path)):
            calls.append(self)
            if len(calls) == failing:
                raise OSError(errno.EIO, "Input/output error", str(self))
        return rename(self, there)

    with target as folder:
        change(folder / "report.json", "later")
        change(folder / "tables" / "a", "later")
        monkeypatch.setattr(Path, "rename", broken)
    places = sorted(os.listdir(tmp_path))
    later = {"report.json": "later", "tables/a": "later"}
    if places == ["run"]:
        assert content(path) == {**later, "report.json.kept": "mine"}
    else:
        assert content(path) == {"report.json": "mine", "plots/a.png": "picture"}
        assert content(tmp_path / "run-2") == later


def test_names_as_long_as_they_can_be(tmp_path):
    path = tmp_path / ("n" * 255)
    results(path, "report.json")
    change(path / ("m" * 255))
    results(path, "m" * 255)
    assert sorted(content(path).values()) == ["later", "mine"]


# -- signals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["_publish", "_discard"])
def test_a_signal_at_the_end_waits_until_all_is_done(tmp_path, monkeypatch, place):
    path, real = earlier(tmp_path / "run"), getattr(RunFolder, place)

    def interrupted(self):
        signal.raise_signal(signal.SIGINT)
        real(self)

    monkeypatch.setattr(RunFolder, place, interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            results(path, "report.json")
    finally:
        signal.signal(signal.SIGINT, before)
    assert content(path) == {"report.json": "later"}
    assert os.listdir(tmp_path) == ["run"]


KILLED = """
import os, signal, sys
from pathlib import Path
from snntoolbox.ir.files import RunFolder
rename, calls = Path.rename, []
def killing(self, target):
    calls.append(target)
    if len(calls) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(self, target)
with RunFolder(sys.argv[1]) as folder:
    for name in ("report.json", "tables.txt"):
        (folder / name).write_text("later")
    Path.rename = killing
"""


@pytest.mark.parametrize("moves", range(1, 7))
def test_results_are_put_back_after_a_kill_in_the_middle(tmp_path, moves):
    path = earlier(tmp_path / "run")
    change(path / "tables.txt")
    done = subprocess.run([sys.executable, "-c", KILLED, str(path), str(moves)], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    with pytest.raises(ConfigError), RunFolder(path):
        raise ConfigError("bad")
    assert content(path) == {"report.json": "earlier", "plots/a.png": "picture", "tables.txt": "mine"}
    assert os.listdir(tmp_path) == ["run"]
