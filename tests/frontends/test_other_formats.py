"""Formats that no frontend reads: each is told by its name, with the line that converts it, on every way in."""

from pathlib import Path
from types import ModuleType

import pytest

from snntoolbox.errors import ConfigError, FrontendError
from snntoolbox.frontends.other_formats import OTHERS, format_of_file, format_of_object
from snntoolbox.frontends.registry import frontend_for
from snntoolbox.workflow.cli import main
from snntoolbox.workflow.models import find_model

DOCS = Path(__file__).parents[2] / "docs" / "usage.md"
FILES = {
    "a.tflite": (b"\x1c\x00\x00\x00TFL3\x14\x00", "a TensorFlow Lite model"),
    "weights.bin": (b"\x1c\x00\x00\x00TFL3\x14\x00", "a TensorFlow Lite model"),
    "short.tflite": (b"", "a TensorFlow Lite model"),
    "frozen.pb": (b"\n\x05", "a frozen graph of TensorFlow"),
    "f.mlirbc": (b"ML\xefR\rStableHLO_v1", "a StableHLO program"),
    "f.mlir": (b"module {}", "a StableHLO program"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_by_what_they_begin_with_or_their_ending(name, tmp_path):
    content, told = FILES[name]
    path = tmp_path / name
    path.write_bytes(content)
    for call, error in (
        (lambda: frontend_for(path), FrontendError),
        (lambda: find_model(tmp_path, name, "auto"), ConfigError),
        (lambda: find_model(tmp_path, path.stem, "auto"), ConfigError),
    ):
        with pytest.raises(error, match=told) as caught:
            call()
        assert "onnx" in caught.value.hint


def test_a_saved_model_is_a_folder(tmp_path):
    folder = tmp_path / "net"
    folder.mkdir()
    assert format_of_file(folder) is None
    (folder / "saved_model.pb").write_bytes(b"\x08\x01")
    with pytest.raises(FrontendError, match=f"--saved-model {folder} --output model.onnx"):
        frontend_for(folder)
    with pytest.raises(ConfigError, match=f"--saved-model {folder} --output model.onnx"):
        find_model(tmp_path, "net", "auto")


@pytest.mark.parametrize("command", [["inspect"], ["init"], ["export", "--to", "nir", "-o", "out"]])
def test_commands_end_with_the_line_to_type(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("a.tflite").write_bytes(FILES["a.tflite"][0])
    assert main([command[0], "a.tflite", *command[1:]]) == 2
    assert "python -m tf2onnx.convert --tflite" in capsys.readouterr().err
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("module", "told"), [("flax.nnx.module", "JAX"), ("tensorflow.python.trackable", "TensorFlow")]
)
def test_live_objects_by_their_packages(module, told):
    base = type("Module", (), {"__module__": module})
    model = type("Mine", (base,), {})()
    with pytest.raises(FrontendError, match=told) as error:
        frontend_for(model)
    assert "to_onnx" in error.value.hint or "from_function" in error.value.hint
    assert format_of_object(ModuleType("other")) is None


def test_the_page_has_a_line_for_each():
    page = DOCS.read_text()
    assert [other.name for other in OTHERS if other.name.split(maxsplit=1)[1] not in page] == []
