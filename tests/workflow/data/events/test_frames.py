"""Events in frames and in steps: what each choice makes of them, and that the two are the same events."""

import event_files as files
import numpy as np
import pytest

from snntoolbox.errors import DataError
from snntoolbox.workflow.data.events.frames import METHODS, Clock, Placement, placed, placement
from snntoolbox.workflow.data.events.recording import Recording

PLAIN = {"unique": False, "clipped": False}


def recording(*events):
    """Of (t, x, y, on)."""
    return Recording.of(*(np.array(column) for column in zip(*events, strict=True)))


FEW = recording((0, 0, 0, 1), (10, 2, 1, 0), (20, 2, 1, 1), (30, 2, 1, 0), (30, 2, 1, 0))


@pytest.mark.parametrize(
    ("method", "corner", "pixel"),
    [("rectified_sum", [1], [4]), ("signed_sum", [1], [-2]),
     ("rectified_polarity_channels", [0, 1], [3, 1]), ("signed_polarity_channels", [0, 1], [-3, 1])],
)  # fmt: skip
def test_methods(method, corner, pixel):
    shape = (len(corner), 2, 3)
    frame = placed(FEW, Placement(shape=shape, method=method, **PLAIN)).frame()
    np.testing.assert_array_equal(frame[:, 0, 0], corner)
    np.testing.assert_array_equal(frame[:, 1, 2], pixel)
    assert np.abs(frame).sum() == abs(np.array([*corner, *pixel])).sum()


@pytest.mark.parametrize(
    ("options", "place"),
    [({}, (1, 0)), ({"x_first": True}, (0, 1)), ({"x_flipped": True}, (1, 3)), ({"y_flipped": True}, (2, 0)),
     ({"x_first": True, "x_flipped": True, "y_flipped": True}, (3, 2))],
)  # fmt: skip
@pytest.mark.parametrize("axis", [None, 0, 2])
def test_axes(options, place, axis):
    sides = [4, 4]
    where = Placement(shape=tuple(sides if axis is None else [*sides[:axis], 1, *sides[axis:]]), channel_axis=axis,
                      **PLAIN, **options)  # fmt: skip
    frame = placed(recording((0, 0, 1, 1)), where).frame()
    assert np.argwhere(frame.reshape(4, 4)).tolist() == [list(place)]


def test_pixels_are_scaled_from_corner_to_corner():
    where = Placement(shape=(3, 5), channel_axis=None, chip=(9, 6), **PLAIN)
    frame = placed(recording((0, 0, 0, 1), (1, 8, 5, 1), (2, 7, 4, 1)), where).frame()
    assert np.argwhere(frame).tolist() == [[0, 0], [1, 3], [2, 4]]


def test_alike_events_are_one():
    pixel = (1, 2)
    for method, count in (("rectified_sum", 3), ("signed_sum", -1)):
        frame = placed(FEW, Placement(shape=(2, 3), channel_axis=None, method=method, clipped=False)).frame()
        assert frame[pixel] == count


@pytest.mark.parametrize("method", METHODS)
def test_outliers_lose_their_last_events(method):
    rng = np.random.default_rng(1)
    t = np.arange(400)
    x, y, on = rng.integers(0, 8, 400), rng.integers(0, 8, 400), rng.integers(0, 2, 400)
    x[100:300], y[100:300], on[100:300] = 3, 3, 1
    where = Placement(shape=(2, 8, 8) if "channels" in method else (1, 8, 8), method=method, unique=False)
    whole = placed(Recording.of(t, x, y, on), Placement(**{**vars(where), "clipped": False}))
    clipped = placed(Recording.of(t, x, y, on), where)
    before, after = whole.frame(), clipped.frame()
    high = before.mean() + 1.5 * before.std() if where.signed else 3 * before[before != 0].std()
    assert after[-1, 3, 3] == np.floor(high) < before[-1, 3, 3]
    kept = {*zip(clipped.place.tolist(), clipped.t.tolist(), strict=True)}
    dropped = [t for p, t in zip(whole.place.tolist(), whole.t.tolist(), strict=True) if (p, t) not in kept]
    assert len(dropped) >= before[-1, 3, 3] - after[-1, 3, 3]
    assert min(dropped) > 100


def test_sums_that_are_all_alike_are_no_outliers():
    frame = placed(recording((0, 0, 0, 1), (1, 1, 1, 1)), Placement(shape=(2, 2), channel_axis=None)).frame()
    np.testing.assert_array_equal(frame, np.eye(2))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("clock", [Clock(64), Clock(16), Clock(400, 20)])
def test_spikes_are_the_events_of_the_frame(method, clock):
    events = files.events(300)
    where = Placement(shape=(2, 6, 8) if "channels" in method else (1, 6, 8), method=method, unique=False)
    sample = placed(Recording.of(*events), where)
    train, lost = clock.train(sample)
    assert lost == 0
    assert train.shape == (clock.steps, *where.shape)
    assert np.isin(train, (-1, 0, 1)).all()
    np.testing.assert_array_equal(train.sum(axis=0), sample.frame())


def test_times_fill_the_steps():
    x = np.arange(5)
    train, _ = Clock(10).train(placed(Recording.of(x * 25, x, x * 0, x > -1), Placement(shape=(1, 1, 5), **PLAIN)))
    assert np.nonzero(train)[0].tolist() == [0, 2, 4, 7, 9]


def test_silence_takes_no_steps_where_a_step_has_a_width():
    t = np.array([0, 9, 10, 5000, 5001, 90000])
    train, lost = Clock(4, 10).train(
        placed(Recording.of(t, np.arange(6), t * 0, t > -1), Placement(shape=(1, 1, 6), **PLAIN))
    )
    assert np.nonzero(train)[0].tolist() == [0, 0, 1, 2, 2, 3]
    assert lost == 0


def test_an_event_that_finds_its_step_taken_takes_the_next_free_one():
    sample = placed(recording((0, 0, 0, 1), (0, 0, 0, 1), (0, 1, 0, 1), (60, 0, 0, 1), (99, 1, 0, 1)),
                    Placement(shape=(1, 1, 2), **PLAIN))  # fmt: skip
    train, _ = Clock(4).train(sample)
    assert np.nonzero(train[:, 0, 0, 0])[0].tolist() == [0, 1, 2]
    assert np.nonzero(train[:, 0, 0, 1])[0].tolist() == [0, 3]


def test_events_that_find_no_step_are_counted():
    sample = placed(recording(*[(i, 0, 0, 1) for i in range(9)]), Placement(shape=(1, 1, 1), **PLAIN))
    assert [Clock(steps, width).train(sample)[1] for steps, width in ((9, 0), (7, 0), (3, 2))] == [0, 2, 6]


@pytest.mark.parametrize(
    ("shape", "method", "form", "axis", "chosen"),
    [((1, 6, 8), "", "", 0, METHODS[0]), ((6, 8, 1), "", "", 2, METHODS[0]), ((2, 6, 8), "", "", 0, METHODS[2]),
     ((6, 8, 2), METHODS[3], "", 2, METHODS[3]), ((6, 8), "", "", None, METHODS[0]),
     ((1, 6, 1), "", "channels_last", 2, METHODS[0])],
)  # fmt: skip
def test_channels_of_the_model(shape, method, form, axis, chosen):
    found = placement(shape, method, form)
    assert (found.channel_axis, found.method) == (axis, chosen)


@pytest.mark.parametrize(
    ("shape", "method", "form"),
    [((3, 6, 8), "", ""), ((1, 6, 8), METHODS[2], ""), ((2, 6, 2), METHODS[2], ""), ((48,), "", ""),
     ((1, 6, 8), "", "channels_last")],
)  # fmt: skip
def test_models_that_frames_do_not_fit(shape, method, form):
    with pytest.raises(DataError, match="channel"):
        placement(shape, method, form)
