"""Pages that are made from the code say what the code says now: if a test here fails, run python docs/generate.py."""

import importlib.util
import json
import sys

import pytest
from doc_pages import ROOT


def loaded(name):
    """A script of the documentation."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def generate():
    return loaded("generate")


PAGES = ["README.md", "docs/config.md", "docs/layers.md", "docs/simulators.md", "docs/targets.md"]


@pytest.mark.parametrize("name", PAGES)
def test_page_is_current(generate, name):
    pages = {str(path.relative_to(ROOT)): text for path, text in generate.pages().items()}
    assert (ROOT / name).read_text("utf-8") == pages[name], "run python docs/generate.py"


@pytest.mark.parametrize("frontend", ["caffe", "keras", "onnx", "pytorch"])
def test_every_layer_is_on_the_page_with_a_meaning(generate, frontend):
    described = generate.described(frontend)
    assert all(described)
    assert sorted(n for names in described.values() for n in names) == sorted(generate.handlers(frontend))


def test_no_supported_layer_is_listed_as_refused(generate):
    for frontend in generate.TITLES:
        section = generate._frontend_section(frontend)
        listed = section.rpartition("Refused by name")[2]
        assert not [name for name in generate.handlers(frontend) if f"`{name}`" in listed]


def test_between_markers(generate):
    text = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n"
    assert generate.between_markers(text, "x", "new") == "a\n<!-- x -->\n\nnew\n<!-- /x -->\nb\n"
    with pytest.raises(ValueError, match="markers 'y'"):
        generate.between_markers(text, "y", "new")


@pytest.mark.long
def test_what_was_measured_is_measured_again():
    """Some of it; thresholds are computed in floating point, so a share may move a little on another processor."""
    measured = json.loads((ROOT / "docs" / "targets.json").read_text("utf-8"))
    script = loaded("measure_targets")
    told = "`weight_bits = 8`"
    kept = next(row for row in measured["settings"] if row["setting"] == told)
    again = script.setting(told)
    assert (again["right"], again["agree"]) == pytest.approx((kept["right"], kept["agree"]), abs=0.005)
    assert script.ran("nest") == measured["ran"]["nest"]
    for row, kept in zip(script.importers(), measured["importers"], strict=True):
        assert row["cells"] == pytest.approx(kept["cells"], abs=0.01)
        assert row["importer"] == kept["importer"]
    assert set(measured["ran"]) == set(script.ours("runs"))
    assert {row["target"] for row in measured["written"]} <= set(script.ours("writes"))
