"""Lines of progress become what the page shows; lines of others change nothing."""

import json

import pytest

from snntoolbox.workflow.gui.followed import Bar, Told, after


def said(*events):
    return after(Told(), [json.dumps({"what": what, **about}) for what, about in events])


def test_how_far_it_is():
    told = said(
        ("stage", {"name": "simulate"}),
        ("begin", {"name": "a", "total": 4}),
        ("advance", {"name": "a", "done": 3}),
        ("end", {"name": "a", "done": 3}),
        ("begin", {"name": "b", "total": 0}),
    )
    assert told.stage == "simulate"
    assert told.bars == (Bar("a", 4, 3, is_over=True), Bar("b", 0))
    assert [bar.share for bar in told.bars] == [0.75, 0.0]
    assert Bar("c", 4, 1).share == 0.25


@pytest.mark.parametrize(
    ("bar", "words"),
    [
        (Bar("a", 4, 1, left=9.0, at=100.0), "a: 1 of 4, 7 s left"),
        (Bar("a", 4, 1, left=300.0, at=102.0), "a: 1 of 4, 5 min left"),
        (Bar("a", 4, 1, left=3 * 3600.0, at=102.0), "a: 1 of 4, 3.0 h left"),
        (Bar("a", 4, 1, left=1.0, at=90.0), "a: 1 of 4, 0 s left"),
        (Bar("a", 4000, 1), "a: 1 of 4,000"),
        (Bar("a", 4, 1, is_over=True, left=9.0), "a: 1 of 4"),
        (Bar("a", 0), "a: under way"),
        (Bar("a", 0, is_over=True), "a: ended"),
    ],
)
def test_how_long_it_takes(bar, words):
    assert bar.words(102.0) == words


def test_the_time_left_is_taken_in():
    (bar,) = said(("begin", {"name": "a", "total": 4}), ("advance", {"name": "a", "done": 2, "left": 3.5})).bars
    assert (bar.done, bar.left) == (2, 3.5)


def test_a_bar_that_begins_again_is_the_last():
    told = said(*[("begin", {"name": name, "total": 1}) for name in "aba"])
    assert [bar.name for bar in told.bars] == ["b", "a"]


def test_accuracy_grows_and_begins_anew_with_the_next_run():
    first = [("accuracy", {"of": "accuracy", "samples": n, "per_step": [0.1, s]}) for n, s in ((10, 0.5), (20, 0.6))]
    told = said(*first)
    assert (told.samples, told.per_step, told.growth) == (20, (0.1, 0.6), ((10, 0.5), (20, 0.6)))
    told = said(*first, first[0])
    assert told.growth == ((10, 0.5),)


def test_warnings_are_bounded():
    told = said(*[("warning", {"message": str(i)}) for i in range(99)])
    assert told.warnings[-1] == "98"
    assert len(told.warnings) == 50


def test_lines_of_others_change_nothing():
    told = Told(stage="simulate")
    assert after(told, ["", "no json", "[]", "{}", '{"what": "else"}', '{"what": "begin"}', '{"what": []}']) == told
