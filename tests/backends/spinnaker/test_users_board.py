"""The user's settings of sPyNNaker: which of them name a board."""

import pytest

from snntoolbox.backends.spinnaker.users_board import missing


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    "lines",
    [
        "machine_name = 192.168.240.253\nversion = 5",
        "machineName = spinn.local\nversion = 5",
        "MACHINENAME: spinn.local",
        "spalloc_server = spinnaker.example.org\nspalloc_user = me",
        "remote_spinnaker_url = https://spinnaker.example.org/spalloc",
        "virtual_board = False\nmachine_name = a%b",
    ],
)
def test_these_name_a_board(home, lines):
    (home / ".spynnaker.cfg").write_text(f"[Machine]\n{lines}\n[Reports]\n")
    assert missing() == ""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "no board is named: there is no ~/.spynnaker.cfg"),
        ("", "no board is named in ~/.spynnaker.cfg"),
        ("[Machine]\nmachine_name = None\nversion = 5", "no board is named in ~/.spynnaker.cfg"),
        ("[Machine]\nspalloc_server = none", "no board is named in ~/.spynnaker.cfg"),
        ("[Machine]\nversion = 5\nversion = 3", "~/.spynnaker.cfg cannot be read: "),
        ("[machine]\nmachine_name = spinn", "no board is named in ~/.spynnaker.cfg"),
        ("[Machine]\nmachine_name = spinn\nvirtualBoard = True", "the board of ~/.spynnaker.cfg is virtual"),
        ("machine_name = spinn", "~/.spynnaker.cfg cannot be read: File contains no section headers"),
        (b"[Machine]\nmachine_name = \xff", "~/.spynnaker.cfg cannot be read: "),
    ],
)
def test_these_do_not(home, text, told):
    if text is not None:
        (home / ".spynnaker.cfg").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert told in missing()


def test_settings_of_this_folder_go_before_those_at_home(home, monkeypatch):
    (home / "here").mkdir()
    monkeypatch.chdir(home / "here")
    (home / ".spynnaker.cfg").write_text("[Machine]\nvirtual_board = True\n")
    (home / "here" / "spynnaker.cfg").write_text("[Machine]\nvirtual_board = False\nmachine_name = spinn\n")
    assert missing() == ""
    (home / "here" / "spynnaker.cfg").write_text("[Machine]\nvirtual_board = False\n")
    assert missing() == "no board is named in ~/.spynnaker.cfg and ~/here/spynnaker.cfg"


def test_another_file_is_read_where_one_is_named(home):
    (home / "spec.cfg").write_text("[Machine]\nmachine_name = spinn\n")
    (home / ".spynnaker.cfg").write_text(f"[Machine]\nmachine_spec_file = {home}/spec.cfg\n")
    assert missing() == ""


def test_of_two_settings_none_is_taken(home):
    (home / ".config").mkdir()
    for folder in (home, home / ".config"):
        (folder / ".spynnaker.cfg").write_text("[Machine]\nmachine_name = spinn\n")
    assert missing() == "there are ~/.config/.spynnaker.cfg and ~/.spynnaker.cfg, and sPyNNaker takes one alone"
