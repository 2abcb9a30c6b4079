"""What the settings say of the model that is opened."""

import pytest

from snntoolbox.errors import FrontendError
from snntoolbox.workflow import demo
from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.inputs import open_inputs


def opened(folder, *overrides):
    demo.copy_to(folder)
    return open_inputs(load_config(folder / "demo_onnx.ini", overrides), pytest.fail)


def test_a_model_begins_at_a_tensor(tmp_path):
    whole = opened(tmp_path)
    part = opened(tmp_path, "input.input_tensor=relu1", "input.input_shape=(16, 8, 8)")
    assert (whole.input_shape, part.input_shape) == ((8, 8), (16, 8, 8))
    assert len(part.graph) < len(whole.graph)


def test_a_constant_input_that_is_none(tmp_path):
    with pytest.raises(FrontendError, match="no input 'mask'"):
        opened(tmp_path, "input.constant_inputs={'mask': 1}")
