"""Pipes and devices in place of files: whoever reads a file refuses them at once, and does not wait."""

import os

import pytest

import snntoolbox as stb
from snntoolbox.errors import SNNToolboxError
from snntoolbox.ir.io import load_graph
from snntoolbox.ir.regular_files import check_regular, special_kind
from snntoolbox.workflow.cli import main

MODELS = ("m.onnx", "m.keras", "m.h5", "m.json", "m.pt2", "m.pth", "m.py")


@pytest.fixture
def pipe(tmp_path):
    def make(name):
        os.mkfifo(tmp_path / name)
        return tmp_path / name

    return make


@pytest.mark.parametrize("name", MODELS)
def test_models(pipe, name):
    file = pipe(name)
    with pytest.raises(SNNToolboxError, match="is a pipe, not a file"):
        stb.load(file)


@pytest.mark.parametrize("command", ["run", "inspect", "init"])
def test_commands(pipe, command, capsys):
    assert main([command, str(pipe("m.onnx"))]) == 2
    assert "is a pipe" in capsys.readouterr().err


def test_a_model_that_a_configuration_names(pipe, tmp_path, capsys):
    pipe("m.onnx")
    (tmp_path / "c.ini").write_text("[paths]\nfilename_ann = m.onnx\n")
    assert main([str(tmp_path / "c.ini")]) == 2
    assert "is a pipe" in capsys.readouterr().err


@pytest.mark.parametrize("load", [stb.load_network, load_graph])
def test_saved_networks(pipe, load):
    file = pipe("net.npz")
    with pytest.raises(SNNToolboxError, match="is a pipe"):
        load(file)


def test_what_is_a_file_or_missing_is_not_refused_here(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path, tmp_path / "missing", "a\0b"):
        check_regular(path)
    assert special_kind("/dev/null") == "a device"
