"""The command that serves the page says what it lacks, and takes numbers in their bounds."""

import json
import shutil
import sys
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

from snntoolbox.workflow.cli import main


def test_without_the_extra_it_says_how_to_install_it(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "nicegui", None)
    assert main(["gui", str(tmp_path)]) == 2
    assert 'pip install "snntoolbox[gui]"' in capsys.readouterr().err


def test_a_folder_that_is_none_is_told(capsys, tmp_path):
    assert main(["gui", str(tmp_path / "nowhere")]) == 2
    told = capsys.readouterr().err
    assert "does not exist" in told
    assert "path_wd" not in told


def test_a_folder_that_cannot_be_written_is_told(monkeypatch, capsys, tmp_path):
    pytest.importorskip("nicegui")

    def full(*words, **about):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.NamedTemporaryFile", full)
    assert main(["gui", str(tmp_path)]) == 2
    assert "cannot write into the working folder" in capsys.readouterr().err


def test_a_folder_that_goes_away_ends_in_order(monkeypatch, tmp_path):
    pytest.importorskip("nicegui")
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.setattr("snntoolbox.workflow.gui.server.serve", lambda folder, **about: shutil.rmtree(folder))
    assert main(["gui", str(folder)]) == 0


@pytest.mark.parametrize("option", ["--port=70000", "--port=x", "--upload-mib=0"])
def test_numbers_have_bounds(option, capsys):
    with pytest.raises(SystemExit):
        main(["gui", option])
    assert "whole number" in capsys.readouterr().err


def test_the_browser_is_opened_by_a_file_of_the_owner_alone(monkeypatch, tmp_path, capsys):
    pytest.importorskip("nicegui")
    seen, address = [], "http://127.0.0.1:1/?token=secret"

    def opened(uri):
        path = Path(url2pathname(urlsplit(uri).path))
        seen.append((path, path.stat().st_mode & 0o777, address in path.read_text()))

    monkeypatch.setattr("webbrowser.open", opened)
    monkeypatch.setattr("snntoolbox.workflow.gui.server.serve", lambda folder, *, ready, **about: ready(address))
    assert main(["gui", str(tmp_path), f"--progress={tmp_path / 'lines'}"]) == 0
    ((path, mode, leads_on),) = seen
    assert (path.parent, mode, leads_on, path.exists()) == (tmp_path, 0o600, True, False)
    assert json.loads((tmp_path / "lines").read_text()) == {"what": "ready", "address": address}
    assert capsys.readouterr().out.startswith(address)
