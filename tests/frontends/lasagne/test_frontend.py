"""Lasagne models from outside: a run by a configuration of the SNN Toolbox, exit codes, and what the page lists."""

import json
import re

import house
import numpy as np
import pytest
from lasagne_files import random, write

import snntoolbox as stb
from snntoolbox.errors import SNNToolboxError
from snntoolbox.frontends.lasagne.standins import standing_in
from snntoolbox.workflow.cli import main

BODY = """
net = batch_norm(Conv2DLayer(net, 3, 3))
net = Pool2DLayer(net, 2, mode='average_inc_pad')
net = DenseLayer(net, 4, nonlinearity=lasagne.nonlinearities.softmax)
"""
PARAMETERS = [random(3, 2, 3, 3), *(random(3, seed=i) for i in range(3)), 1 + random(3) ** 2, random(12, 4), random(4)]


@pytest.fixture
def config(tmp_path):
    write(tmp_path, BODY, PARAMETERS)
    x = np.random.default_rng(0).random((20, 2, 6, 6), np.float32)
    np.savez(tmp_path / "x_test.npz", x)
    np.savez(tmp_path / "x_norm.npz", x)
    np.savez(tmp_path / "y_test.npz", np.eye(4)[np.arange(20) % 4])
    path = tmp_path / "config.ini"
    keys = "[paths]\nfilename_ann = net\n[input]\nmodel_lib = lasagne\n[simulation]\nduration = 64\nnum_to_test = 20\n"
    path.write_text(keys)
    return path


def test_a_run_by_the_toolbox_configuration(config, capsys):
    assert main([str(config)]) == 0
    assert json.loads(next(config.parent.rglob("report.json")).read_text())["agreement"] >= 0.9
    assert "is code, and is run to build the model" in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["code", "parameters"])
def test_bad_files_are_refused(damage, config, capsys):
    file = config.with_name("net.py" if damage == "code" else "net.npz")
    file.write_bytes(file.read_bytes()[:-20])
    assert main([str(config)]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_it_is_checked_against_the_second_reading(tmp_path, monkeypatch):
    from snntoolbox.frontends.lasagne import handlers

    path = write(tmp_path, "net = NonlinearityLayer(BiasLayer(net))", [np.float32([-0.5, -0.5])])
    stb.load(path)
    monkeypatch.setitem(handlers.HANDLERS, "relu", handlers.HANDLERS["abs_"])
    with pytest.raises(SNNToolboxError, match="differs from the original"):
        stb.load(path)


def test_the_layers_on_the_page_are_there(tmp_path):
    page = (house.ROOT.parent / "docs" / "lasagne.md").read_text()
    named = set(
        re.findall(r"`(\w+Layer|batch_norm|prelu)`", page.partition("## What is read")[2].partition("Refused")[0])
    )
    with standing_in(tmp_path):
        import lasagne.layers

        unknown = {n for n in named if issubclass(_class(getattr(lasagne.layers, n)), lasagne.layers.UnknownLayer)}
    assert len(named) > 25
    assert not unknown


def _class(value):
    return value if isinstance(value, type) else object
