"""What a story says while it works is kept for its report."""

import logging
from contextlib import nullcontext

import pytest

from snntoolbox.ir.progress import bar
from snntoolbox.workflow.journal import Journal, watching


def test_seconds_of_stages_that_end_are_kept():
    journal = Journal()
    with journal.timed("parse"):
        pass
    with pytest.raises(KeyError), journal.timed("convert"):
        raise KeyError
    assert list(journal.seconds) == ["parse"]
    assert 0 <= journal.seconds["parse"] < 1


def test_warnings_are_logged_and_kept(caplog):
    journal = Journal()
    with caplog.at_level(logging.WARNING):
        journal.warn("look out")
    assert journal.warnings == ["look out"]
    assert [record.message for record in caplog.records] == ["look out"]


@pytest.mark.parametrize("verbose", [0, 1])
def test_bars_are_for_those_who_want_them(verbose, monkeypatch):
    shown = []
    told = nullcontext(lambda steps: None)
    monkeypatch.setattr("snntoolbox.workflow.journal.progress_bar", lambda *said: shown.append(said) or told)
    with watching(verbose), bar("Simulating", 3) as advance:
        advance(1)
    assert shown == ([("Simulating", 3)] if verbose else [])
