"""Tables in the pages are whole, as Markdown reads them, and say things once."""

import itertools
import re

import pytest
from doc_pages import PAGES, ROOT

_FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_RULE = re.compile(r"\|(\s*:?-+:?\s*\|)+")
_BETWEEN_CELLS = re.compile(r"(?<!\\)\|")


def tables(text):
    """The runs of lines that begin with a bar, outside blocks of code."""
    lines = _FENCED.sub("", text).splitlines()
    return [list(rows) for is_row, rows in itertools.groupby(lines, lambda line: line.startswith("|")) if is_row]


def cells(row):
    return [cell.strip() for cell in _BETWEEN_CELLS.split(row)[1:-1]]


@pytest.mark.parametrize("path", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_each_table_has_a_head(path):
    for rows in tables(path.read_text("utf-8")):
        assert len(rows) > 2, rows
        assert _RULE.fullmatch(rows[1]), f"{path.name}: cut from the table before it: {rows[0]}"


def test_each_option_of_a_command_is_explained_once():
    (options,) = [rows for rows in tables((ROOT / "docs/usage.md").read_text("utf-8")) if "| option |" in rows[0]]
    found = [(cells(row)[0], command) for row in options[2:] for command in cells(row)[1].split(", ")]
    assert len(found) > 10
    assert not {pair for pair in found if found.count(pair) > 1}


def test_each_term_has_one_definition():
    text = (ROOT / "docs/semantics.md").read_text("utf-8")
    parts = re.findall(r"^: .*(?:\n  .*)*\n(?=: )", text, re.MULTILINE)
    assert not parts
