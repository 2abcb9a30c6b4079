"""The command that serves the page says what it lacks, and takes numbers in their bounds."""

import sys

import pytest

from snntoolbox.workflow.cli import main


def test_without_the_extra_it_says_how_to_install_it(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "nicegui", None)
    assert main(["gui", str(tmp_path)]) == 2
    assert 'pip install "snntoolbox[gui]"' in capsys.readouterr().err


def test_a_folder_that_is_none_is_told(capsys, tmp_path):
    assert main(["gui", str(tmp_path / "nowhere")]) == 2
    assert "does not exist" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--port=70000", "--port=x", "--upload-mib=0"])
def test_numbers_have_bounds(option, capsys):
    with pytest.raises(SystemExit):
        main(["gui", option])
    assert "whole number" in capsys.readouterr().err
