"""The configuration page of the documentation."""

import runpy

from snntoolbox.workflow.config.refusals import REFUSED
from snntoolbox.workflow.config.schema import keys, sections
from snntoolbox.workflow.config.template import markdown


def test_the_page_names_everything():
    page = markdown()
    for row in keys().values():
        assert f"| `{row.name}` |" in page
    for row in REFUSED:
        assert f"| `{row.path}` |" in page
    for section in sections():
        assert f"## [{section}]\n" in page


def test_tables_of_the_page_are_rectangular():
    for line in markdown().splitlines():
        if line.startswith("|"):
            assert line.replace("\\|", "").count("|") == 4, line


def test_the_module_writes_the_page(capsys):
    runpy.run_module("snntoolbox.workflow.config", run_name="__main__")
    assert capsys.readouterr().out == markdown()
