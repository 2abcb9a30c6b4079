"""What becomes of data on the way: a case for every row of the tables in docs/data.md."""

import json
import logging
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import snntoolbox as stb
from snntoolbox.errors import DataError
from snntoolbox.ir.data_range import DataRange, difference
from snntoolbox.ir.samples import checked_arrays
from snntoolbox.workflow.data.load import check_fits, load_calibration, load_test
from snntoolbox.workflow.data.pixels import pixels_of

Image = pytest.importorskip("PIL.Image")

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
COLOUR = np.random.default_rng(0).integers(0, 256, (3, 4, 3), dtype=np.uint8)
X = np.arange(12.0).reshape(4, 3)
PAGE = Path(__file__).parents[3] / "docs" / "data.md"
ROWS = [m[1] for m in re.finditer(r"^\| (?!data \||images \||folder or|-)([^|]+) \|.*\|.*\|$",
                                  PAGE.read_text().split("## What becomes of data")[1], re.MULTILINE)]  # fmt: skip
CASES = {}


def row(text):
    """The case of a row of the tables."""

    def register(case):
        CASES[text] = case
        return case

    return register


def test_every_row_has_a_case():
    assert set(ROWS) == set(CASES)


@pytest.mark.parametrize("text", CASES)
def test_row(text, tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    CASES[text](tmp_path, caplog)


def from_file(folder, x):
    np.savez(folder / "x_test.npz", x)
    return load_test(folder).x


def in_python(x):
    return checked_arrays({"x": np.shape(x)[1:]}, x)[0]


def same(folder, caplog, x, expected):
    """Both ways give these numbers, and nothing is said of them."""
    np.testing.assert_array_equal(from_file(folder, x), expected)
    np.testing.assert_array_equal(in_python(x), expected)
    assert [r.message for r in caplog.records if "y_test" not in r.message] == []


def refused(call, words="[Tt]he data|holds|data hold|no array"):
    with pytest.raises(DataError, match=words) as caught:
        call()
    assert caught.value.hint or "sample" in caught.value.message


# -- arrays -----------------------------------------------------------------------------------------------------------


@row("bool, integers and floats of up to 16 bits, float32")
def _(folder, caplog):
    for dtype in ("bool", "i1", "u1", "i2", "u2", "f2", "f4"):
        x = (X * 5000 if dtype == "u2" else X).astype(dtype)
        same(folder, caplog, x, x.astype(np.float64))


@row("integers of 32 and 64 bits up to 2^24")
def _(folder, caplog):
    for dtype in ("i4", "u4", "i8", "u8"):
        same(folder, caplog, np.array([[2**24, 0, 2**24 - 1]], dtype), [[2**24, 0, 2**24 - 1]])


@row("integers beyond 2^24")
def _(folder, caplog):
    for value in (2**24 + 1, 2**53 + 1, 2**63 - 1):
        for call in (lambda x: from_file(folder, x), in_python):
            caplog.clear()
            call(np.array([[value, 1]]))
            assert "rounded to the 24 bits" in caplog.text
    caplog.clear()
    in_python(np.array([[2**40, -(2**30)]]))
    assert not caplog.records


@row("float64, long double")
def _(folder, caplog):
    for dtype in (np.float64, np.longdouble):
        same_numbers = from_file(folder, np.array([[1 / 3, 1e-30, 0.1]], dtype))
        np.testing.assert_array_equal(same_numbers, np.array([[1 / 3, 1e-30, 0.1]], np.float32))


@row("values that float32 has no place for, NaN, infinity")
def _(folder, caplog):
    for value in (1e39, np.nan, np.inf, -np.inf, np.longdouble(-1e300)):
        x = np.array([[1.0], [value]])
        refused(lambda x=x: from_file(folder, x), "first in sample 1")
        refused(lambda x=x: in_python(x), "first in sample 1")


@row("big-endian numbers, Fortran order, views")
def _(folder, caplog):
    for x in (X.astype(">f4"), X.astype(">i2"), np.asfortranarray(X), X[::-1, ::-2]):
        same(folder, caplog, x, np.array(x, np.float64))


@row("complex numbers, text, dates, records, Python objects, bfloat16")
def _(folder, caplog):
    record = np.zeros((4, 3), [("a", "f4"), ("b", "i4")])
    dates = X.astype("datetime64[s]")
    ml_dtypes = pytest.importorskip("ml_dtypes")
    odd = [X + 0j, X.astype(str), dates, dates - dates, record, X.astype(object), X.astype(ml_dtypes.bfloat16)]
    for x in odd:
        refused(lambda x=x: from_file(folder, x))
        refused(lambda x=x: in_python(x))


@row("masked values")
def _(folder, caplog):
    refused(lambda: in_python(np.ma.masked_greater(X, 5)), "masked")
    same(folder, caplog, np.ma.masked_greater(X, 50), X)


@row("tensors of PyTorch: of floats and integers")
def _(folder, caplog):
    for dtype in (torch.float16, torch.float32, torch.float64, torch.int64, torch.uint8, torch.bool):
        x = torch.tensor(X).to(dtype)
        np.testing.assert_array_equal(in_python(x), x.double().numpy())
    np.testing.assert_array_equal(in_python(torch.tensor(X).T.contiguous().T), X)


@row("tensors of PyTorch: bfloat16, complex, sparse, quantised, with gradients, on a GPU")
def _(folder, caplog):
    x = torch.tensor(X, dtype=torch.float32)
    tensors = [
        *(x.bfloat16(), x.to(torch.complex64), x.to(torch.complex64).conj(), x.to_sparse(), x.to_sparse_csr()),
        *(torch.quantize_per_tensor(x, 0.1, 0, torch.qint8), x.clone().requires_grad_(), x.to("meta")),
    ]
    for tensor in tensors:
        refused(lambda tensor=tensor: in_python(tensor))


@row("data loaders, generators, dictionaries, file names in place of arrays")
def _(folder, caplog):
    data = torch.utils.data.TensorDataset(torch.tensor(X), torch.zeros(4))
    loader = torch.utils.data.DataLoader(data, batch_size=2)
    graph = stb.load(torch.nn.Linear(3, 2), input_shape=(3,))
    network = stb.convert(graph, X)
    for odd in (loader, data, (a for a in X), {"x": X}, "x.npy", folder / "x.npy", {1.0}, 5, None, [loader]):
        refused(lambda odd=odd: network.run(odd, duration=2), "not arrays|no array")
        if odd is not None:
            refused(lambda odd=odd: stb.convert(graph, odd), "not arrays|no array")
    refused(lambda: network.run(list(X), duration=2), "4 arrays given, the model has 1")


@row("axes in another order than the model's")
def _(folder, caplog):
    x = np.zeros((2, 5, 4, 3))
    refused(lambda: checked_arrays({"x": (3, 5, 4)}, x), "the model takes")
    with pytest.raises(DataError, match="channel order"):
        checked_arrays({"x": (3, 5, 4)}, x)


@row("data scaled otherwise than those of the calibration")
def _(folder, caplog):
    """Who is told: tests/ir/test_data_range.py, tests/behaviour/test_review.py."""
    assert "same way" in difference(DataRange(0.0, 255.0, 9), DataRange(0.0, 1.0, 9), ("x_test", "x_norm"))


@row("`.npz` with `arr_0` and other arrays")
def _(folder, caplog):
    np.savez(folder / "x_test.npz", X, X[:, 0])
    np.testing.assert_array_equal(load_test(folder).x, X)
    assert "arr_0 is read, not arr_1" in caplog.text


@row("`.npz` with several arrays and no `arr_0`")
def _(folder, caplog):
    np.savez(folder / "x_test.npz", a=X, b=X)
    refused(lambda: load_test(folder), "holds the arrays a, b")


@row("`x_test.npz` beside `x_test.npy`, `x_test.csv`, ...")
def _(folder, caplog):
    np.save(folder / "x_test.npy", X + 1)
    np.savetxt(folder / "y_test.csv", X)
    np.testing.assert_array_equal(from_file(folder, X), X)
    assert "x_test.npz is read, not x_test.npy" in caplog.text
    assert "files are read, not y_test.csv" in caplog.text


# -- pixels -----------------------------------------------------------------------------------------------------------


def picture(folder, image, name="a.png", **saving):
    (folder / "x_test" / "cat").mkdir(parents=True, exist_ok=True)
    image.save(folder / "x_test" / "cat" / name, **{"format": "png", **saving})


def pixels(folder, mode="rgb", **options):
    return load_test(folder, dataset_format="png", dataflow_kwargs={"color_mode": mode}, **options).x


@row("grey of 1, 2, 4 or 8 bits, colour of 8 bits, palettes")
def _(folder, caplog):
    palette = Image.fromarray(COLOUR).quantize(16)
    for image, mode, expected in (
        (Image.fromarray(GREY), "grayscale", GREY[..., None]),
        (Image.fromarray(GREY > 100), "grayscale", (GREY > 100)[..., None] * 255),
        (Image.fromarray(COLOUR), "rgb", COLOUR),
        (palette, "rgb", palette.convert("RGB")),
        (Image.fromarray(np.dstack([GREY, GREY, GREY, GREY])), "rgba", np.dstack([GREY] * 4)),
    ):
        picture(folder, image)
        np.testing.assert_array_equal(pixels(folder, mode)[0], np.asarray(expected))
    picture(folder, Image.fromarray(np.array([[0, 1, 2, 3]], np.uint8), "P"), bits=2)
    image_of_bits(folder, 4, [0x01, 0x2F])
    np.testing.assert_array_equal(pixels(folder, "grayscale")[0, 0, :, 0], [0, 17, 34, 255])
    assert not caplog.records


def image_of_bits(folder, bits, row_bytes, colour_type=0):
    """A PNG of one row written by hand: what Pillow cannot write."""
    import struct
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    width = len(row_bytes) * 8 // bits // {0: 1, 2: 3}[colour_type]
    head = struct.pack(">IIBBBBB", width, 1, bits, colour_type, 0, 0, 0)
    body = zlib.compress(bytes([0, *row_bytes]))
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    (folder / "x_test" / "cat").mkdir(parents=True, exist_ok=True)
    (folder / "x_test" / "cat" / "a.png").write_bytes(png)


@row("grey, where `color_mode` is rgb or rgba")
def _(folder, caplog):
    picture(folder, Image.fromarray(GREY))
    np.testing.assert_array_equal(pixels(folder)[0], np.dstack([GREY] * 3))
    np.testing.assert_array_equal(pixels(folder, "rgba")[0], np.dstack([GREY] * 3 + [np.full_like(GREY, 255)]))
    assert not caplog.records


@row("colour, where `color_mode` is grayscale")
def _(folder, caplog):
    picture(folder, Image.fromarray(COLOUR))
    np.testing.assert_allclose(pixels(folder, "grayscale")[0, ..., 0], COLOUR @ [0.299, 0.587, 0.114], atol=0.51)


@row("grey of 16 bits")
def _(folder, caplog):
    values = np.array([[0, 255, 256, 1000], [30000, 65535, 128, 60000]], np.uint16)
    for order in "<>":
        picture(folder, Image.fromarray(values.astype(order + "u2")))
        for mode, channels in (("grayscale", 1), ("rgb", 3), ("rgba", 3)):
            caplog.clear()
            x = pixels(folder, mode)[0]
            np.testing.assert_allclose(x[..., :channels], np.stack([values / 257] * channels, -1), rtol=1e-6)
            assert "divided by 257" in caplog.text
    for interpolation in ("nearest", "bilinear", "bicubic"):
        options = {"color_mode": "grayscale", "target_size": (5, 9), "interpolation": interpolation}
        x = load_test(folder, dataset_format="png", dataflow_kwargs=options).x
        assert x.shape == (1, 5, 9, 1)
        assert 0 <= x.min() < x.max() <= 255


@row("colour of 16 bits")
def _(folder, caplog):
    image_of_bits(folder, 16, [0x12, 0x34, 0xFF, 0xFF, 0x80, 0x00], colour_type=2)
    np.testing.assert_array_equal(pixels(folder)[0, 0, 0], [0x12, 0xFF, 0x80])
    assert "upper 8" in caplog.text


@row("other formats than JPEG and PNG, under their names")
def _(folder, caplog):
    for form, dtype in (("tiff", np.int32), ("tiff", np.float32), ("tiff", np.uint8), ("bmp", np.uint8)):
        picture(folder, Image.fromarray(GREY.astype(dtype)), format=form)
        refused(lambda: pixels(folder), f"is {form.upper()}, not JPEG or PNG")
    for dtype in (np.int32, np.float32):  # no PNG has these
        picture(folder, Image.fromarray(GREY.astype(dtype)), format="tiff")
        image = Image.open(folder / "x_test" / "cat" / "a.png")
        with image, pytest.raises(DataError, match="no known range"):
            pixels_of(image, "rgb", None, "nearest", Image)


@row("transparent, where `color_mode` is not rgba")
def _(folder, caplog):
    palette = Image.fromarray(COLOUR).quantize(16)
    kinds = [
        (Image.fromarray(np.dstack([GREY, GREY]), "LA"), {}),
        (Image.fromarray(np.dstack([COLOUR, GREY])), {}),
        (palette, {"transparency": 0}),
        (Image.fromarray(GREY), {"transparency": 0}),
        (Image.fromarray(COLOUR), {"transparency": tuple(map(int, COLOUR[0, 0]))}),
    ]
    for image, saving in kinds:
        picture(folder, image, **saving)
        for mode in ("grayscale", "rgb"):
            caplog.clear()
            pixels(folder, mode)
            assert "transparent" in caplog.text
        caplog.clear()
        assert pixels(folder, "rgba")[..., 3].min() == 0
        assert not caplog.records
    picture(folder, Image.fromarray(np.dstack([COLOUR, np.full_like(GREY, 255)])))
    np.testing.assert_array_equal(pixels(folder)[0], COLOUR)
    assert not caplog.records


@row("CMYK")
def _(folder, caplog):
    picture(folder, Image.fromarray(COLOUR).convert("CMYK"), format="jpeg")
    for mode, channels in (("grayscale", 1), ("rgb", 3), ("rgba", 4)):
        assert pixels(folder, mode).shape == (1, 3, 4, channels)
    assert "CMYK" in caplog.text


@row("turned by a note (EXIF orientation)")
def _(folder, caplog):
    for form in ("png", "jpeg"):
        exif = Image.Exif()
        exif[0x0112] = 6
        caplog.clear()
        picture(folder, Image.fromarray(COLOUR), exif=exif, format=form)
        assert pixels(folder).shape == (1, 3, 4, 3)
        assert "stored turned" in caplog.text


@row("several pictures in one file")
def _(folder, caplog):
    frames = [Image.fromarray(GREY), Image.fromarray(GREY[::-1])]
    for form in ("png", "mpo"):
        caplog.clear()
        picture(folder, frames[0], format=form, save_all=True, append_images=frames[1:])
        np.testing.assert_allclose(pixels(folder, "grayscale")[0, ..., 0], GREY, atol=8 if form == "mpo" else 0)
        assert "the first is taken" in caplog.text


@row("of another size than the model's, without `target_size`")
def _(folder, caplog):
    picture(folder, Image.fromarray(GREY))
    assert pixels(folder, image_size=(6, 8)).shape == (1, 6, 8, 3)
    assert "1 of 1 images have another size" in caplog.text
    caplog.clear()
    pixels(folder, image_size=(3, 4))
    load_test(folder, dataset_format="png", dataflow_kwargs={"target_size": (6, 8)})
    assert not caplog.records


@row("colour profiles, gamma")
def _(folder, caplog):
    from PIL import ImageCms, PngImagePlugin

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    chunks = PngImagePlugin.PngInfo()
    chunks.add(b"gAMA", (100000).to_bytes(4, "big"))
    picture(folder, Image.fromarray(COLOUR), icc_profile=profile, pnginfo=chunks)
    np.testing.assert_array_equal(pixels(folder)[0], COLOUR)
    assert not caplog.records


# -- folders ----------------------------------------------------------------------------------------------------------


def folders(root, *names):
    """Class folders with an image each, of the grey of its place."""
    for i, name in enumerate(names):
        (root / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((2, 2), i, np.uint8)).save(root / name / f"{i}.png")


def labels(root, classes=(), **options):
    options["dataflow_kwargs"] = {"color_mode": "grayscale", **({"classes": list(classes)} if classes else {})}
    data = load_test(root, dataset_format="png", **options)
    return dict(zip(data.x[:, 0, 0, 0].astype(int).tolist(), data.y.tolist(), strict=True))


@row("hidden (`.DS_Store`, `._cat.png`, `.thumbnails/`), `Thumbs.db`, `desktop.ini`")
def _(folder, caplog):
    folders(folder / "x_test", "cat", "dog", ".git", "cat/.thumbnails", "dog/@eaDir")
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", "._0.png"):
        (folder / "x_test" / "cat" / name).write_bytes(b"none")
    assert labels(folder) == {0: 0, 1: 1}
    assert not caplog.records


@row("`__MACOSX`, `@eaDir`, `lost+found` and the like as class folders")
def _(folder, caplog):
    folders(folder / "x_test", "cat", "dog", "@eaDir")
    for name in ("__MACOSX", "lost+found", "$RECYCLE.BIN"):
        (folder / "x_test" / name).mkdir()
    assert labels(folder) == {0: 0, 1: 1}
    assert caplog.text.count("is no class") == 4


@row("results of runs, and `x_norm`, beside class folders")
def _(folder, caplog):
    folders(folder, "cat", "zebra", "log/run", "x_norm")
    (folder / "log" / "run" / ".snntoolbox").touch()
    assert labels(folder) == {0: 0, 1: 1}
    assert "log is no class: it holds results" in caplog.text
    assert "x_norm is no class" in caplog.text
    (folder / "x_norm" / "3.png").unlink()
    (folder / "x_norm").rmdir()
    assert len(load_calibration(folder, dataset_format="png")) == 2


@row("a class folder without images")
def _(folder, caplog):
    folders(folder / "x_test", "cat", "dog")
    (folder / "x_test" / "bird").mkdir()
    (folder / "x_test" / "bird" / "a.bmp").touch()
    refused(lambda: labels(folder), "without images .*: bird")
    assert labels(folder, ["bird", "cat", "dog"]) == {0: 1, 1: 2}
    (folder / "n.json").write_text(json.dumps({"5": ["cat"], "0": ["bird"], "1": "dog"}))
    assert labels(folder, class_idx_path=folder / "n.json") == {0: 5, 1: 1}
    assert caplog.text.count("without images") == 2


@row("fewer class folders than the model has classes")
def _(folder, caplog):
    folders(folder / "x_test", "cat", "dog")
    data = load_test(folder, dataset_format="png")
    check_fits(data, (2, 2, 3), 2)
    check_fits(data, (2, 2, 3), 1)
    assert not caplog.records
    check_fits(data, (2, 2, 3), 3)
    assert "there are 2 class folders, the model has 3 classes: they are numbered 0 cat, 1 dog" in caplog.text
    caplog.clear()
    options = {"dataflow_kwargs": {"classes": ["dog", "cat"]}}
    check_fits(load_test(folder, dataset_format="png", **options), (2, 2, 3), 3)
    assert not caplog.records


@row("more class folders than the model has classes")
def _(folder, caplog):
    folders(folder / "x_test", "cat", "dog", "emu")
    data = load_test(folder, dataset_format="png", limit=1)
    refused(lambda: check_fits(data, (2, 2, 3), 2), "labels reach 2, but the model has 2 classes")
    with pytest.raises(DataError, match="0 cat, 1 dog, 2 emu"):
        check_fits(data, (2, 2, 3), 2)


@row("folders 1, 2, 10")
def _(folder, caplog):
    folders(folder / "x_test", "1", "2", "10")
    assert labels(folder) == {0: 0, 1: 2, 2: 1}
    assert "order of text: 1, 10, 2" in caplog.text


@row("other files in class folders, images beside them, links to folders")
def _(folder, caplog):
    folders(folder / "x_test", "cat", "dog")
    Image.fromarray(GREY).save(folder / "x_test" / "top.png")
    (folder / "x_test" / "cat" / "b.webp").touch()
    (folder / "x_test" / "cat" / "more").symlink_to(folder / "x_test" / "dog")
    assert labels(folder) == {0: 0, 1: 1}
    assert re.search(r"1 files are left out, as in no class folder; first .*top\.png", caplog.text)
    assert re.search(r"2 files are left out, as no \.jpg.*b\.webp", caplog.text)


@row("folders that `classes` does not name")
def _(folder, caplog):
    folders(folder / "x_test", "cat", "dog", "emu")
    assert labels(folder, ["emu", "cat"]) == {2: 0, 0: 1}
    assert "are left out: dog" in caplog.text


@row("a folder that `classes` or `class_idx_path` names twice")
def _(folder, caplog):
    folders(folder / "x_test", "cat", "dog")
    refused(lambda: labels(folder, ["cat", "dog", "cat"]), "cat twice")
    for text in ('{"0": ["cat"], "1": ["dog", "cat"]}', '{"0": ["cat"], "1": ["dog"], "2": "cat"}'):
        (folder / "n.json").write_text(text)
        refused(lambda: labels(folder, class_idx_path=folder / "n.json"), "cat twice")


@row("pipes, sockets, devices in place of a file")
def _(folder, caplog):
    folders(folder / "x_test", "cat")
    os.mkfifo(folder / "x_test" / "cat" / "b.png")
    refused(lambda: labels(folder), "b.png is a pipe")
    os.mkfifo(folder / "x_norm.npy")
    refused(lambda: load_calibration(folder), "x_norm.npy is a pipe")
    (folder / "y_test.npy").symlink_to("/dev/zero")
    np.save(folder / "x_test.npy", X)
    refused(lambda: load_test(folder), "y_test.npy is a device")
    refused(lambda: labels(folder, class_idx_path=folder / "x_norm.npy"), "x_norm.npy is a pipe")
