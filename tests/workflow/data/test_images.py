"""Image folders: pixels, order, class numbers, options, and what is refused."""

import json

import numpy as np
import pytest

from snntoolbox.errors import DataError
from snntoolbox.workflow.data.load import load_calibration, load_test

image_module = pytest.importorskip("PIL.Image")

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 4, 6, 3), dtype=np.uint8)
CENTERED = PIXELS - PIXELS.mean(axis=(1, 2, 3), keepdims=True)
FILES = ["cat/a.png", "cat/b.PNG", "dog/a.png", "dog/sub/c.png", "emu/1.png", "emu/2.png"]


@pytest.fixture
def folder(tmp_path):
    for name, pixels in zip(FILES, PIXELS, strict=True):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        image_module.fromarray(pixels).save(tmp_path / name)
    (tmp_path / "readme.txt").write_text("no image")
    (tmp_path / ".hidden").mkdir()
    return tmp_path


def load(folder, **options):
    return load_test(folder, dataset_format="png", **options)


def test_order_and_labels(folder):
    data = load(folder)
    assert data.x.dtype == np.float32
    np.testing.assert_array_equal(data.x, PIXELS)
    np.testing.assert_array_equal(data.y, [0, 0, 1, 1, 2, 2])
    assert data.class_names == {0: "cat", 1: "dog", 2: "emu"}


@pytest.mark.parametrize(
    ("datagen", "dataflow", "expected"),
    [
        ({"rescale": 1 / 255}, {}, PIXELS / 255),
        ({"samplewise_center": True, "rescale": 0.5}, {}, PIXELS / 2 - PIXELS.mean(axis=(1, 2, 3), keepdims=True) / 2),
        ({"samplewise_std_normalization": True}, {}, CENTERED / (PIXELS.std(axis=(1, 2, 3), keepdims=True) + 1e-6)),
        ({"rotation_range": 0, "horizontal_flip": False}, {"batch_size": 8, "seed": 3, "subset": None}, PIXELS),
        ({"data_format": "channels_first"}, {}, np.moveaxis(PIXELS, -1, 1)),
        ({"data_format": "channels_last"}, {"class_mode": "categorical", "shuffle": False}, PIXELS),
        ({}, {"target_size": (4, 6)}, PIXELS),
        ({}, {"target_size": [2, 2]}, PIXELS[:, 1::2][:, :, 1::3]),
        ({"validation_split": 0.5}, {"subset": "validation"}, PIXELS[::2]),
        ({"validation_split": 0.5}, {"subset": "training"}, PIXELS[1::2]),
        ({"validation_split": 0.5, "fill_mode": "wrap", "cval": 0.0}, {"save_format": "png"}, PIXELS),
        ({}, {"target_size": (4, 4), "keep_aspect_ratio": True}, PIXELS[:, :, 1:5]),
    ],
)
def test_options(folder, datagen, dataflow, expected):
    x = load(folder, datagen_kwargs=datagen, dataflow_kwargs=dataflow).x
    np.testing.assert_allclose(x, expected, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize(("mode", "channels"), [("rgb", 3), ("grayscale", 1), ("rgba", 4)])
def test_color_mode(folder, mode, channels):
    assert load(folder, dataflow_kwargs={"color_mode": mode}).x.shape == (6, 4, 6, channels)


def test_image_size_yields_to_target_size(folder):
    assert load(folder, image_size=(3, 5)).x.shape == (6, 3, 5, 3)
    assert load(folder, image_size=(3, 5), dataflow_kwargs={"target_size": (2, 2)}).x.shape == (6, 2, 2, 3)


def test_classes_in_the_order_given(folder):
    data = load(folder, dataflow_kwargs={"classes": ["emu", "cat"]})
    np.testing.assert_array_equal(data.y, [0, 0, 1, 1])
    np.testing.assert_array_equal(data.x, PIXELS[[4, 5, 0, 1]])


def test_class_file(folder):
    file = folder / "index.json"
    file.write_text(json.dumps({"7": ["x0", "cat"], "3": ["dog"], "5": "emu", "8": ["unused"]}))
    data = load(folder, class_idx_path=file)
    np.testing.assert_array_equal(data.y, [7, 7, 3, 3, 5, 5])
    assert data.class_names == {7: "cat", 3: "dog", 5: "emu"}


@pytest.mark.parametrize(
    ("options", "chosen"),
    [({"limit": 3}, [0, 2, 4]), ({"limit": 2}, [0, 3]), ({"indices": [5, 0]}, [5, 0]), ({"limit": -1}, range(6))],
)
def test_choice_of_samples(folder, options, chosen):
    data = load(folder, **options)
    np.testing.assert_array_equal(data.x, PIXELS[list(chosen)])
    np.testing.assert_array_equal(data.y, np.array([0, 0, 1, 1, 2, 2])[list(chosen)])


def test_calibration_is_x_norm_else_the_test_images(folder, caplog):
    data = load_calibration(folder, dataset_format="jpg")
    np.testing.assert_array_equal(data.x, PIXELS)
    assert "the test images also serve for calibration" in caplog.text
    np.save(folder / "x_norm.npy", PIXELS[:1])
    np.testing.assert_array_equal(load_calibration(folder, dataset_format="jpg").x, PIXELS[:1])


def test_folders_for_test_and_calibration(folder, tmp_path):
    outer = tmp_path / "outer"
    outer.mkdir()
    for name, source in (("x_test", "cat"), ("x_norm", "emu")):
        (outer / name).mkdir()
        (folder / source).rename(outer / name / source)
    np.testing.assert_array_equal(load(outer).x, PIXELS[:2])
    np.testing.assert_array_equal(load_calibration(outer, dataset_format="png").x, PIXELS[4:])


@pytest.mark.parametrize(
    ("datagen", "dataflow", "words"),
    [
        ({"rotation_range": 20}, {}, "rotation_range = 20 in datagen_kwargs must be"),
        ({"preprocessing_function": "f"}, {"batch_size": 0}, "preprocessing_function .*batch_size = 0 in dataflow"),
        ({"rescale": "1/255"}, {}, "rescale = '1/255' in datagen_kwargs must be a number"),
        ({"data_format": "nchw"}, {}, "must be one of channels_last, channels_first"),
        ({"rescale": 1e300}, {}, "must be a number that float32 holds"),
        ({"rescale": 1e-300}, {}, "must be a number that float32 holds"),
        ({}, {"target_size": 32}, r"target_size = 32 in dataflow_kwargs must be \(height, width\)"),
        ({}, {"target_size": (0, 3)}, "target_size"),
        ({}, {"color_mode": ["rgb"]}, "must be one of rgb, grayscale, rgba"),
        ({}, {"shuffle": 1}, "shuffle = 1 in dataflow_kwargs must be True or False"),
        ({}, {"seed": -1}, "seed = -1 in dataflow_kwargs must be None or an integer from 0 on"),
        ({}, {"class_mode": "input"}, "class_mode = 'input' in dataflow_kwargs must be categorical"),
        ({}, {"classes": ["fox"]}, "class folder .*fox does not exist"),
        ({}, {"classes": "cat"}, "classes = 'cat' in dataflow_kwargs must be a list"),
    ],
)
def test_options_refused(folder, datagen, dataflow, words):
    with pytest.raises(DataError, match=words) as caught:
        load(folder, datagen_kwargs=datagen, dataflow_kwargs=dataflow)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "does not exist"),
        ("{", "cannot be read"),
        ("[1]", "cannot be read"),
        ('{"a": ["cat"]}', "cannot be read"),
        ('{"0": 5}', "cannot be read"),
        ('{"0": ["cat"]}', "has no number for the class folders dog, emu"),
    ],
)
def test_class_file_refused(folder, text, words):
    file = folder / "index.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(DataError, match=words):
        load(folder, class_idx_path=file)


def test_sizes_differ(folder):
    image_module.fromarray(PIXELS[0, :2]).save(folder / "dog" / "b.png")
    with pytest.raises(DataError, match=r"b.png has shape \(2, 6, 3\), but .*a.png has \(4, 6, 3\)") as caught:
        load(folder)
    assert "target_size" in caught.value.hint


@pytest.mark.parametrize("damage", [b"", b"text", "truncated"])
def test_damaged_image(folder, damage):
    file = folder / "emu" / "1.png"
    file.write_bytes(file.read_bytes()[:60] if damage == "truncated" else damage)
    with pytest.raises(DataError, match=r"1\.png cannot be read"):
        load(folder)


def test_no_classes_and_no_images(tmp_path):
    with pytest.raises(DataError, match="has no sub-folders"):
        load(tmp_path)
    (tmp_path / "cat").mkdir()
    with pytest.raises(DataError, match="holds no images"):
        load(tmp_path)


def test_without_pillow(folder, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "PIL.Image", None)
    with pytest.raises(DataError, match=r"needs Pillow\n.*snntoolbox\[images\]"):
        load(folder)


OTHERS = {
    "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 6 4\n%%EndComments\nshowpage\n%%EOF\n",
    "PPM": b"P6 6 4 1023\n" + bytes(6 * 4 * 3 * 2),
    **dict.fromkeys(("BMP", "GIF", "TIFF", "WEBP", "ICO", "PCX", "JPEG2000", "SGI")),
}


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_the_name_does_not_decide_the_format(kind, suffix, folder, monkeypatch):
    monkeypatch.setattr("subprocess.check_call", lambda *a, **k: pytest.fail("a program was run"))
    path = folder / f"emu/0.{suffix}"
    if OTHERS[kind] is None:
        try:
            image_module.fromarray(PIXELS[0]).save(path, format=kind)
        except (KeyError, OSError):
            pytest.skip(f"this Pillow cannot write {kind}")
    else:
        path.write_bytes(OTHERS[kind])
    with pytest.raises(DataError, match=rf"0\.{suffix} is {kind}, not JPEG or PNG"):
        load(folder)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_one_of_the_two_under_the_name_of_the_other(kind, folder):
    for name in ("emu/1.png", "emu/2.png"):
        image_module.fromarray(PIXELS[0]).save(folder / name, format=kind)
    assert np.abs(load(folder).x[-1] - PIXELS[0]).max() <= (0 if kind == "PNG" else 255)


def test_a_damaged_file_of_a_known_format(folder):
    (folder / "emu/1.png").write_bytes((folder / "emu/1.png").read_bytes()[:20])
    with pytest.raises(DataError, match=r"1\.png cannot be read"):
        load(folder)


def test_links_to_folders_are_followed_where_that_is_asked(folder, tmp_path_factory):
    """Also where they lead around."""
    other = tmp_path_factory.mktemp("other")
    image_module.fromarray(PIXELS[5]).save(other / "x.png")
    (folder / "cat" / "more").symlink_to(other)
    (folder / "cat" / "around").symlink_to(folder / "cat")
    assert len(load(folder).x) == 6
    data = load(folder, dataflow_kwargs={"follow_links": True})
    np.testing.assert_array_equal(data.x[:3], PIXELS[[0, 1, 5]])
    assert len(data.x) == 7


def test_a_subset_needs_a_split(folder):
    with pytest.raises(DataError, match="subset = 'validation' in dataflow_kwargs needs validation_split"):
        load(folder, dataflow_kwargs={"subset": "validation"})


@pytest.mark.parametrize("interpolation", ["lanczos", "box", "hamming"])
def test_more_ways_to_resize(folder, interpolation):
    options = {"target_size": (2, 3), "interpolation": interpolation}
    sized = [image_module.fromarray(p).resize((3, 2), image_module.Resampling[interpolation.upper()]) for p in PIXELS]
    np.testing.assert_array_equal(load(folder, dataflow_kwargs=options).x, np.stack([np.asarray(i) for i in sized]))


@pytest.mark.parametrize("seed", [0, 7])
def test_the_order_of_keras(folder, seed):
    """Its iterator draws an order with the seed; labels and pictures stay together."""
    order = np.random.RandomState(seed).permutation(6)
    data = load(folder, dataflow_kwargs={"shuffle": True, "seed": seed})
    np.testing.assert_array_equal(data.x, PIXELS[order])
    np.testing.assert_array_equal(data.y, np.array([0, 0, 1, 1, 2, 2])[order])
    few = load(folder, dataflow_kwargs={"shuffle": True, "seed": seed}, limit=2)
    np.testing.assert_array_equal(few.x, PIXELS[order[:2]])


def test_without_classes(folder):
    assert load(folder, dataflow_kwargs={"class_mode": None}).y is None
