"""The page of the demo in a browser: it opens from disk, asks for nothing, answers clicks, and is accessible."""

import os

import pytest
from waiting import PATIENCE

from snntoolbox.workflow import demo
from snntoolbox.workflow.cli import main

CI = bool(os.environ.get("CI"))
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    demo.copy_to(folder)
    short = ("--set", "simulation.num_to_test=100", "--set", "simulation.duration=16")
    assert main([str(folder / "demo_onnx.ini"), *short]) == 0
    return folder / "log" / "demo_onnx" / "report.html"


ALL = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]
TWO = pytest.mark.parametrize("page", [ALL[0], ALL[3]], ids=str, indirect=True)


@pytest.fixture(params=ALL, ids=str)
def page(request, browser, report):
    width, scheme = request.param
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.set_default_timeout(1000 * PATIENCE)
    page.said, page.asked = [], []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("request", lambda asked: page.asked.append(asked.url))
    page.goto(report.as_uri())
    yield page
    page.close()


def test_it_is_quiet_and_alone(page, report):
    assert page.said == []
    assert [url for url in page.asked if not url.startswith("data:")] == [report.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing hangs over the edge"


@TWO
def test_every_figure_answers_a_click(page):
    charts = [chart for chart in page.query_selector_all(".chart") if chart.is_visible()]
    assert len(charts) >= 6
    for chart in charts:
        box = chart.query_selector("svg").bounding_box()
        middle = {"clientX": box["x"] + box["width"] / 2, "clientY": box["y"] + box["height"] / 2}
        chart.query_selector("svg").dispatch_event("click", middle)  # a finger: no mouse moves there before
        assert chart.query_selector("output").inner_text()
    first = charts[0].query_selector("output").inner_text()
    charts[0].focus()
    page.keyboard.press("ArrowRight")
    assert charts[0].query_selector("output").inner_text() != first
    assert page.said == []


@TWO
def test_a_click_on_a_layer_shows_its_figures(page):
    links = page.query_selector_all(".picture a")
    assert len(links) == 6
    for link in links:
        link.click()
        shown = [panel for panel in page.query_selector_all(".panel") if panel.is_visible()]
        assert ["#" + panel.get_attribute("id") for panel in shown] == [link.get_attribute("href")]
        assert len(shown[0].query_selector_all(".chart")) == 4


@TWO
def test_a_cell_of_the_matrix_says_what_it_counts(page):
    page.query_selector(".matrix td[style]").click()
    assert "samples of class 0" in page.query_selector(".matrix + output").inner_text()


def test_axe_finds_no_serious_fault(page):
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    assert [(f["id"], f["nodes"][0]["html"]) for f in found if f["impact"] in ("serious", "critical")] == []
