"""Signals that wait until what must not stop half way is done."""

import signal

import pytest

from snntoolbox.ir.interrupts import ENDING, held_back
from snntoolbox.ir.scratch import Scratch


class EndedError(BaseException):
    pass


@pytest.fixture
def handled():
    """Each of the signals raises, as under the command line."""

    def end(number, frame):
        raise EndedError(number)

    before = {number: signal.signal(number, end) for number in ENDING}
    yield end
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_waits(number, handled):
    done = []

    def work():
        with held_back():
            with held_back():
                signal.raise_signal(number)
                signal.raise_signal(number)
                done.append("inner")
            done.append("outer")

    with pytest.raises(EndedError):
        work()
    assert done == ["inner", "outer"]
    assert signal.getsignal(number) is handled


def test_what_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with held_back():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_signal_while_a_folder_is_made_leaves_none(tmp_path, handled, monkeypatch):
    def interrupted(folder):
        signal.raise_signal(signal.SIGTERM)
        return (folder / "owner").open("xb")

    monkeypatch.setattr("snntoolbox.ir.scratch._held", interrupted)
    with pytest.raises(EndedError):
        Scratch(tmp_path)
    assert list(tmp_path.iterdir()) == []
