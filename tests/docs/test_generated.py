"""Pages that are made from the code say what the code says now: if a test here fails, run python docs/generate.py."""

import importlib.util
import sys

import pytest
from doc_pages import ROOT


@pytest.fixture(scope="module")
def generate():
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["README.md", "docs/config.md", "docs/layers.md", "docs/simulators.md"])
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
