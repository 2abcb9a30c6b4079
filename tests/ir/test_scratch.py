"""Folders for work in progress: gone with their process, or with the next one that looks."""

import os
import signal
import subprocess
import sys
import time

import pytest

from snntoolbox.ir import scratch
from snntoolbox.ir.scratch import PREFIX, Scratch, clear

OWNER = "import sys, time; from snntoolbox.ir.scratch import Scratch; from pathlib import Path; "
OWNER += "s = Scratch(Path(sys.argv[1])); (s.path / 'half').write_text('x'); print('ready', flush=True); time.sleep(99)"


def owner(folder):
    process = subprocess.Popen([sys.executable, "-c", OWNER, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def test_what_a_killed_process_left_goes_and_what_a_living_one_has_stays(tmp_path):
    living, killed = owner(tmp_path), owner(tmp_path)
    assert len(os.listdir(tmp_path)) == 2
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    try:
        with Scratch(tmp_path):
            assert len(os.listdir(tmp_path)) == 2
        (left,) = tmp_path.iterdir()
        assert (left / "half").exists()
    finally:
        living.kill()
        living.wait()


AGES = {"new": (0, False), "old": (scratch.OLD_SECONDS + 60, True)}


@pytest.mark.parametrize("case", AGES)
@pytest.mark.parametrize("owned", ["nobody", "another machine"])
def test_where_the_owner_cannot_be_asked_age_decides(tmp_path, case, owned):
    seconds, gone = AGES[case]
    folder = tmp_path / f"{PREFIX}abc"
    (folder / "new").mkdir(parents=True)
    if owned == "another machine":
        (folder / "owner").write_text("elsewhere.example")
    then = time.time() - seconds
    for path in (*folder.iterdir(), folder):
        os.utime(path, (then, then))
    clear(tmp_path)
    assert folder.exists() != gone


def test_what_others_have_stays(tmp_path):
    """A file or a link of such a name, and a folder that merely begins alike."""
    (tmp_path / f"{PREFIX}file").write_text("mine")
    (tmp_path / "mine").mkdir()
    (tmp_path / f"{PREFIX}link").symlink_to(tmp_path / "mine")
    (tmp_path / ".snntoolbox").mkdir()
    for path in tmp_path.iterdir():
        os.utime(path, (0, 0), follow_symlinks=False)
    before = sorted(os.listdir(tmp_path))
    clear(tmp_path)
    assert sorted(os.listdir(tmp_path)) == before


def test_folders_without_permissions_and_links_go_too(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "mine").write_text("mine")
    with Scratch(tmp_path) as made:
        (made.path / "a" / "b").mkdir(parents=True)
        (made.path / "a" / "b" / "c").write_text("x")
        (made.path / "a" / "link").symlink_to(outside)
        (made.path / "a").chmod(0o500)
    assert os.listdir(tmp_path) == ["outside"]
    assert (outside / "mine").exists()
