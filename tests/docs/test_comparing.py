"""The numbers that do not depend on the machine, in the page about comparing, are those that come out."""

import json
import re

from doc_pages import text_of

from snntoolbox.workflow import demo
from snntoolbox.workflow.cli import main


def test_spikes_are_those_of_the_demo(tmp_path):
    page = text_of("docs/comparing.md")
    command = re.search(r"--samples (\d+) (.*)$", page.replace("\\\n", ""), re.MULTILINE)
    config = demo.copy_to(tmp_path, "onnx")
    settings = [*command[2].split(), "--set", f"simulation.num_to_test={command[1]}", "--set", "paths.runlabel=it"]
    assert main(["run", str(config), *settings]) == 0
    spikes = json.loads((tmp_path / "log" / "it" / "report.json").read_text())["spikes_per_layer"]
    shown = re.findall(r"([\d,]+) +[\d.]+  (?:reference|equal)$", page, re.MULTILINE)
    assert shown == [f"{sum(spikes.values()):,.0f}"] * 4
