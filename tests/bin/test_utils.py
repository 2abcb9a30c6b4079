"""A configuration read, changed and run in the toolbox's two calls."""

import json

from snntoolbox.bin.utils import run_pipeline, update_setup
from snntoolbox.workflow import demo
from snntoolbox.workflow.config.load import load_config


def test_read_change_run(tmp_path, caplog):
    path = demo.copy_to(tmp_path)
    path.write_text(path.read_text() + "[loihi]\nnode = 3\n")
    config = update_setup(str(path))
    assert "loihi.node" in caplog.text
    assert config.get("paths", "path_wd") == str(tmp_path)
    assert config.getfloat("normalization", "percentile") == 99.9
    assert config.getint("simulation", "top_k") == 1
    assert load_config(config) == load_config(path)
    config.set("simulation", "num_to_test", "10")
    config.set("simulation", "duration", "3")
    (accuracy,) = run_pipeline(config)
    report = json.loads((tmp_path / "log" / "demo_onnx" / "report.json").read_text())
    assert (report["samples"], report["duration"], report["snn_accuracy"]) == (10, 3, accuracy)
