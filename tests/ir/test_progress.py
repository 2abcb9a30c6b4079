"""Whoever watches is told how far work is, wherever it is done; nobody else is."""

import pytest
from watching import Seen

import snntoolbox.ir.progress as module
from snntoolbox.ir.progress import Pace, bar, counted, is_watched, portion, watched


def test_who_watches_is_told_of_work_within_work():
    seen = Seen()
    with watched(seen), bar("outer", 2) as advance:
        assert is_watched()
        assert [*counted("inner", "ab", lambda letter: 3)] == ["a", "b"]
        advance(2)
    inner = [("begin", "inner", 6), ("inner", 3), ("inner", 3), ("end", "inner")]
    assert seen.told == [("begin", "outer", 2), *inner, ("outer", 2), ("end", "outer")]


def test_nobody_else_is_told():
    seen = Seen()
    with watched(seen), watched(None), bar("x", 1) as advance:
        advance(1)
        assert not is_watched()
    with bar("x") as advance:
        advance(1)
    assert seen.told == []


def test_a_share_becomes_steps_and_never_goes_back():
    told = []
    done = portion(told.append, 10, 4)
    for part in (1, 3, 2, 9):
        done(part)
    assert told == [2.5, 5.0, 0.0, 2.5]


def test_the_time_left_follows_from_the_steps_so_far(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    pace = Pace(10, begun=100.0)
    assert pace.seconds_left is None
    now[0] = 104.0
    pace.advance(2)
    assert pace.seconds_left == pytest.approx(16)
    now[0] = 107.0  # the next step takes its time
    assert pace.seconds_left == pytest.approx(13)
    now[0] = 999.0
    assert pace.seconds_left == 0
    assert Pace(0, begun=100.0).seconds_left is None
