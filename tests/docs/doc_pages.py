"""The pages of the documentation, and the blocks of code in them that are marked for a test."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_ELSEWHERE = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "examples/README.md")
PAGES = sorted([*(ROOT / "docs").glob("*.md"), *(ROOT / name for name in _ELSEWHERE)])
_BLOCK = re.compile(r"```(?P<language>\w*)\n(?P<code>.*?)^```", re.DOTALL | re.MULTILINE)
_MARKED = re.compile(rf"<!-- (?:test: )?(?P<mark>[\w ]+) -->\n{_BLOCK.pattern}", re.DOTALL | re.MULTILINE)


def text_of(name):
    return (ROOT / name).read_text("utf-8")


def blocks(name, language):
    """All blocks of a language in a page."""
    return [m["code"] for m in _BLOCK.finditer(text_of(name)) if m["language"] == language]


def marked(name, mark):
    """The blocks behind a comment such as ``<!-- test: config -->``."""
    found = [m["code"] for m in _MARKED.finditer(text_of(name)) if m["mark"] == mark]
    assert found, f"{name} has no block marked '{mark}'"
    return found
