"""A new key is one field of its section: what it names follows without another line."""

import json
from dataclasses import dataclass

import pytest

import snntoolbox as stb
from snntoolbox.errors import ConfigError
from snntoolbox.workflow import demo
from snntoolbox.workflow.choices import as_key, recipe_of
from snntoolbox.workflow.config.conversion_keys import Normalization
from snntoolbox.workflow.config.key import at_least, key
from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.config.schema import Settings, Simulation, keys, sections
from snntoolbox.workflow.config.template import default_config_text, markdown
from snntoolbox.workflow.options import options_of
from snntoolbox.workflow.stories.run import run


@dataclass(frozen=True)
class WithBatch(Normalization):
    """What there was, and one key."""

    batch: int = key(100, "Samples of x_norm measured at once.", rule=at_least(1), recipe="batch_size")


@dataclass(frozen=True)
class WithDtype(Simulation):
    """What there was, and one key."""

    dtype: str = key("float32", "Precision of sums.", choices=("float32", "float64"), option="INI.dtype")


@pytest.fixture(autouse=True)
def two_more_keys(monkeypatch):
    """The table of keys with these two."""
    monkeypatch.setitem(Settings.__annotations__, "normalization", WithBatch)
    monkeypatch.setitem(Settings.__annotations__, "simulation", WithDtype)
    for table in (sections, keys):
        table.cache_clear()
    yield
    monkeypatch.undo()
    for table in (sections, keys):
        table.cache_clear()


SHORT = ["simulation.num_to_test=5", "simulation.duration=4", "normalization.num_samples=60"]


@pytest.fixture
def config(tmp_path):
    return demo.copy_to(tmp_path)


def test_it_is_known_and_checked(config):
    assert load_config(config, ["normalization.batch=7"]).normalization.batch == 7
    with pytest.raises(ConfigError, match=r"normalization\.batch = 0: must be at least 1"):
        load_config(config, ["normalization.batch=0"])


def test_it_reaches_the_recipe_and_back(config):
    assert recipe_of(load_config(config, ["normalization.batch=7"]), 1.0, (0.0, 1.0)).batch_size == 7
    assert str(as_key("batch_size", 7)) == "[normalization] batch = 7"


def test_it_reaches_the_simulator(config):
    assert options_of(load_config(config)) == {}
    assert options_of(load_config(config, ["simulation.dtype=float64"]), "INI") == {"dtype": "float64"}


def test_a_saved_network_fixes_it(config):
    run(load_config(config, [*SHORT, "normalization.batch=7"]))
    with pytest.raises(ConfigError, match=r"normalization\.batch = 8 \(saved with 7\)"):
        run(load_config(config, [*SHORT, "normalization.batch=8", "tools.convert=False"]))
    same = ["normalization.batch=7", "simulation.dtype=float64", "tools.convert=False"]
    assert run(load_config(config, [*SHORT, *same])).report["samples"] == 5


def test_it_is_swept(config):
    swept = stb.sweep(config, "normalization.batch", [5, 50], overrides=SHORT)
    assert [report["samples"] for report in swept.reports] == [5, 5]
    written = json.loads((config.parent / "log" / "demo_onnx" / "sweep.json").read_text())
    assert written["parameter"] == "normalization.batch"
    assert "batch = 50" in (swept.folders[1] / "config.ini").read_text()


def test_it_is_documented():
    assert "| `batch` | `100` | Samples of x_norm measured at once. Must be at least 1. |" in markdown()
    assert "# batch = 100" in default_config_text()
    assert "| `dtype` |" in markdown()
