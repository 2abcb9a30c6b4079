"""Every link inside the documentation leads somewhere, and every page is listed."""

import re

import pytest
from doc_pages import PAGES, ROOT

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def links(path):
    text = _FENCED.sub("", path.read_text("utf-8"))
    return [link for link in _LINK.findall(text) if not link.startswith(("http://", "https://", "mailto:"))]


@pytest.mark.parametrize("path", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_internal_links_exist(path):
    for link in links(path):
        target, _, anchor = link.partition("#")
        file = path.parent / target if target else path
        assert file.exists(), f"{link} in {path.name}"
        if anchor:
            assert anchor in _anchors(file), f"{link} in {path.name}"


def _anchors(path):
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return [re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings]


def test_every_page_is_in_the_index():
    index = (ROOT / "docs" / "index.md").read_text("utf-8")
    trees = "\n".join(re.findall(r"^```\{toctree\}(.*?)^```", index, re.DOTALL | re.MULTILINE))
    listed = {line for line in trees.splitlines() if line and not line.startswith(":")}
    assert listed == {p.stem for p in (ROOT / "docs").glob("*.md")} - {"index"}


def test_every_page_is_linked_from_the_readme():
    found = set(links(ROOT / "README.md"))
    assert not [p.name for p in (ROOT / "docs").glob("*.md") if p.stem != "index" and f"docs/{p.name}" not in found]
