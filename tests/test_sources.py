"""Stage fetch with data sets of one's own: pictures in class folders, .npz and CSV files."""

import gzip
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image

from stages.fetch.__main__ import main
from stages.fetch.class_folders import as_values
from stages.normalise_and_split.normalise import encode
from stages.shared.errors import UserError
from stages.shared.files.picture_files import make_square
from tests.fixtures.idx_files import idx_images, idx_labels
from tests.fixtures.loopback import Loopback
from tests.fixtures.synthetic import digits

SIDE = 10
IMAGES, LABELS = digits(24, size=SIDE, classes=3)
IMAGES[:, 0, 0] = 255  # so that no note about the largest value is printed
TRAIN, TEST = slice(0, 18), slice(18, 24)
SHAPE_NAMES = ["circle", "square", "triangle"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, without a proxy."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path


@pytest.fixture
def fetched(capsys: pytest.CaptureFixture[str]) -> Callable[..., "Fetched"]:
    """Return a function that runs the stage on a source with settings of section `fetch`."""

    def fetch(source: str | Path, **settings: Any) -> Fetched:
        declared = {"source": str(source), "preparation": "as-is", **settings}
        Path("params.yaml").write_text(json.dumps({"fetch": declared}))
        main()
        return Fetched(capsys.readouterr().out)

    return fetch


class Fetched:
    """The content of data/raw, and what the stage printed."""

    def __init__(self, printed: str) -> None:
        self.printed = printed
        self.images: NDArray[np.uint8] = np.load("data/raw/images.npy")
        self.labels = np.load("data/raw/labels.npy").tolist()
        self.train_rows = json.loads(Path("data/raw/division.json").read_text())["train_rows"]
        assert self.images.dtype == np.uint8


def refused(source: str | Path, *facts: str, **settings: Any) -> str:
    """Run the stage, which must end with one sentence that has these facts, and write nothing; return the sentence."""
    Path("params.yaml").write_text(json.dumps({"fetch": {"source": str(source), **settings}}))
    with pytest.raises(UserError) as caught:
        main()
    sentence = str(caught.value)
    assert not Path("data").exists()
    assert "\n" not in sentence
    assert [fact for fact in facts if fact not in sentence] == [], sentence
    return sentence


def save(path: str | Path, pixels: NDArray[Any] | Image.Image, **options: Any) -> None:
    """Write a picture, and the folders above it."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(path, **options)


def save_classes(folder: str, rows: slice = slice(None), names: list[str] = SHAPE_NAMES, suffix: str = "png") -> str:
    """Write the images as pictures in class folders, numbered so that sorting them by name keeps their order."""
    for row in range(24)[rows]:
        save(f"{folder}/{names[LABELS[row]]}/{row:02}.{suffix}", IMAGES[row])
    return folder


def by_class(rows: slice = slice(None)) -> list[int]:
    """Return the rows in the order of class folders."""
    return sorted(range(24)[rows], key=lambda row: (LABELS[row], row))


# Pictures in class folders


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp"])
def test_one_set_of_class_folders(suffix: str, fetched: Callable[..., Fetched]) -> None:
    options = {"lossless": True} if suffix == "webp" else {}
    for row in range(24):
        save(f"mine/{SHAPE_NAMES[LABELS[row]]}/{row:02}.{suffix}", IMAGES[row], **options)
    result = fetched("mine")
    np.testing.assert_array_equal(result.images, IMAGES[by_class()])
    assert result.labels == [SHAPE_NAMES[LABELS[row]] for row in by_class()]
    assert result.train_rows is None
    (line,) = result.printed.splitlines()
    assert line == "fetched 24 images of 10 x 10 pixels in 3 classes from mine"


@pytest.mark.parametrize("names", [("train", "test"), ("Training", "Testing")])
def test_train_and_test_folders_are_the_division(names: tuple[str, str], fetched: Callable[..., Fetched]) -> None:
    for name, rows in zip(names, (TRAIN, TEST), strict=True):
        save_classes(f"mine/{name}", rows)
    result = fetched("mine")
    np.testing.assert_array_equal(result.images, IMAGES[by_class(TRAIN) + by_class(TEST)])
    assert result.train_rows == 18


def test_a_validation_folder_counts_as_training_rows(fetched: Callable[..., Fetched]) -> None:
    for name, rows in (("train", slice(0, 12)), ("val", slice(12, 18)), ("test", TEST)):
        save_classes(f"mine/{name}", rows)
    result = fetched("mine")
    np.testing.assert_array_equal(
        result.images, IMAGES[by_class(slice(0, 12)) + by_class(slice(12, 18)) + by_class(TEST)]
    )
    assert result.train_rows == 18
    assert "the validation folder counts as training rows" in result.printed


def test_a_class_may_be_called_train(fetched: Callable[..., Fetched]) -> None:
    result = fetched(save_classes("vehicles", names=["bus", "car", "train"]))
    assert set(result.labels) == {"bus", "car", "train"}


def test_numbered_class_folders_are_in_the_order_of_their_numbers(fetched: Callable[..., Fetched]) -> None:
    result = fetched(save_classes("mine", names=["class 10", "class 9", "class 1"]))
    assert encode(np.array(result.labels))[1] == ["class 1", "class 9", "class 10"]
    result = fetched(save_classes("digits", names=["10", "9", "2"]))
    assert sorted(set(result.labels)) == [2, 9, 10]


def test_class_names_with_accents_are_the_same_in_both_forms(fetched: Callable[..., Fetched]) -> None:
    save_classes("mine/train", TRAIN, names=["caf\u00e9", "b", "c"])
    save_classes("mine/test", TEST, names=["cafe\u0301", "b", "c"])
    assert set(fetched("mine").labels) == {"caf\u00e9", "b", "c"}


def test_what_is_not_a_picture_is_skipped(fetched: Callable[..., Fetched]) -> None:
    save_classes("mine")
    for name in (".DS_Store", "circle/.DS_Store", "circle/Thumbs.db", "circle/._00.png", "README.md", ".git/x.png"):
        Path("mine", name).parent.mkdir(exist_ok=True)
        Path("mine", name).write_bytes(b"clutter")
    save("mine/__MACOSX/._x.png", IMAGES[0])
    save("mine/overview.png", IMAGES[0])
    result = fetched("mine")
    assert len(result.images) == 24 and len(result.printed.splitlines()) == 1
    Path("mine/square/labels.txt").write_text("squares")
    assert "skipped 1 files of mine/square that are not pictures, such as labels.txt" in fetched("mine").printed


def pictures(**changed: Any) -> str:
    """Write two class folders with two white squares each, and other pictures in their place."""
    for name in ("a/1", "a/2", "b/1", "b/2"):
        path, picture = f"mine/{name}.png", np.full((4, 4), 255, np.uint8)
        save(path, changed.get(name.replace("/", ""), picture))
    return "mine"


RED = (200, 0, 0)


def transparent(ink: tuple[int, int, int]) -> Image.Image:
    """Return a picture with a square of ink on a transparent ground."""
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    image.paste((*ink, 255), (1, 1, 3, 3))
    return image


@pytest.mark.parametrize(
    ("picture", "settings", "expected"),
    [
        (Image.new("RGB", (4, 4), RED), {}, 60),
        (Image.new("RGB", (4, 4), RED).convert("P"), {}, 60),
        (Image.new("1", (4, 4), 1), {}, 255),
        (Image.fromarray(np.full((4, 4), 65535, np.uint16)), {}, 255),
        (Image.fromarray(np.full((4, 4), 32896, np.uint16)), {}, 128),
        (transparent((0, 0, 0)), {}, [255, 0]),
        (transparent((255, 255, 255)), {"transparent": "black"}, [0, 255]),
        (transparent((0, 0, 0)).quantize(4), {}, [255, 0]),
        (Image.merge("LA", [Image.new("L", (4, 4), 90), Image.new("L", (4, 4), 0)]), {}, 255),
    ],
    ids=["RGB", "P", "1", "I;16 white", "I;16 grey", "RGBA", "RGBA on black", "P with transparency", "LA"],
)
def test_the_grey_values_of_every_kind_of_picture(
    picture: Image.Image, settings: dict[str, Any], expected: Any, fetched: Callable[..., Fetched]
) -> None:
    result = fetched(pictures(a1=picture), **settings)
    if isinstance(expected, list):
        assert [result.images[0, 0, 0], result.images[0, 2, 2]] == expected
    else:
        assert np.abs(result.images[0].astype(int) - expected).max() <= 1
    coloured = "1 of 4 pictures have colours, which are turned to grey"
    assert (coloured in result.printed) == (expected == 60)


def test_pictures_whose_ink_has_the_colour_of_the_ground_are_told(fetched: Callable[..., Fetched]) -> None:
    white = transparent((255, 255, 255))
    printed = fetched(pictures(a1=white, a2=white)).printed
    assert "4 pictures have the same grey value everywhere" in printed and "set fetch.transparent: black" in printed
    printed = fetched("mine", transparent="black").printed
    assert "2 pictures have the same grey value everywhere" in printed and "set fetch.transparent: white" in printed


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr", "HSV", "LAB"]
)
def test_no_mode_of_a_picture_is_an_error(mode: str) -> None:
    grey, _ = as_values(Image.new(mode, (3, 3)), "white")
    assert grey.shape == (3, 3) and grey.dtype == np.uint8


def test_cmyk_orientation_and_frames(fetched: Callable[..., Fetched]) -> None:
    pictures()
    Path("mine/a/1.png").unlink()
    save("mine/a/1.jpg", Image.new("CMYK", (4, 4), (0, 0, 0, 255)))
    upright = np.zeros((4, 4), np.uint8)
    upright[0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # to be rotated clockwise by a quarter
    save("mine/a/2.png", np.rot90(upright), exif=exif)
    frames = [Image.new("L", (4, 4), grey) for grey in (77, 200)]
    save("mine/b/3.gif", frames[0], save_all=True, append_images=frames[1:])
    result = fetched("mine")
    assert result.images[0].max() < 5
    np.testing.assert_array_equal(result.images[1], upright)
    assert set(result.images[4].ravel()) == {77}
    assert "1 pictures have several frames, of which only the first is read" in result.printed


def test_pictures_of_more_than_8_bits_keep_their_precision(fetched: Callable[..., Fetched]) -> None:
    values = np.arange(16, dtype=np.uint16).reshape(4, 4)
    twelve = {"a1": values * 273, "a2": values * 16, "b1": values, "b2": values}  # 0-4095
    assert "set fetch.max_value: 16" in refused(pictures(**twelve))
    np.testing.assert_array_equal(fetched("mine", max_value=4095 / 257).images[0], values * 17)
    floats = {name: (values / 15).astype(np.float32) for name in twelve}
    for name, pixels in floats.items():
        save(f"mine/{name[0]}/{name[1]}.tif", pixels)
        Path(f"mine/{name[0]}/{name[1]}.png").unlink()
    Path("data/raw/images.npy").unlink()
    np.testing.assert_array_equal(fetched("mine", max_value=1).images[0], values * 17)


def test_the_settings_of_grey_values_apply(fetched: Callable[..., Fetched]) -> None:
    pixels = np.zeros((4, 4), np.uint8)
    pixels[0, 1] = 16
    result = fetched(pictures(a1=pixels, a2=pixels, b1=pixels, b2=pixels), max_value=16, inverted=True, transposed=True)
    assert result.images[0, 1, 0] == 0 and result.images[0].sum() == 15 * 255


# Sizes


def test_differing_sizes_are_refused_or_resized(fetched: Callable[..., Fetched]) -> None:
    pictures(b1=np.full((6, 6), 255, np.uint8))
    facts = ["mine/a/1.png has 4 x 4 pixels", "mine/b/1.png 6 x 6", "fetch.size", "fetch.square"]
    refused("mine", *facts)
    result = fetched("mine", size=5)
    assert result.images.shape == (4, 5, 5) and result.images.min() == 255


def test_pictures_that_are_not_square_are_refused_or_made_square(fetched: Callable[..., Fetched]) -> None:
    wide = np.zeros((4, 8), np.uint8)
    wide[:, 2:6] = 255
    pictures(a1=wide, a2=wide, b1=wide, b2=wide)
    refused("mine", "mine/a/1.png has 4 x 8 pixels", "square", "fetch.size", "pad, crop or stretch")
    padded, cropped, stretched = (fetched("mine", size=8, square=how).images[0] for how in ("pad", "crop", "stretch"))
    expected = np.zeros((8, 8), np.uint8)
    expected[2:6] = wide
    np.testing.assert_array_equal(padded, expected)
    np.testing.assert_array_equal(stretched, np.repeat(wide, 2, axis=0))
    assert cropped[:, 1:7].min() == 255


@pytest.mark.parametrize("how", ["pad", "crop", "stretch"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (4000, 1), (37, 5), (28, 28), (300, 200)])
def test_any_shape_becomes_square_and_stays_in_its_range(shape: tuple[int, int], how: Any) -> None:
    grey = np.random.default_rng(0).uniform(0.2, 0.7, shape).astype(np.float32)
    square = make_square(grey, 28, how)
    assert square.shape == (28, 28) and square.dtype == np.float32
    assert grey.min() - 1e-6 <= square.min() and square.max() <= grey.max() + 1e-6
    assert shape != (28, 28) or square is grey


def test_sides_are_filled_with_the_ground() -> None:
    page = np.full((4, 8), 0.9, np.float32)
    page[1:3, 2:6] = 0.1
    assert set(make_square(page, 8, "pad")[0]) == {np.float32(0.9)}


@pytest.mark.parametrize("settings", [{"size": 0}, {"size": "28"}, {"square": "fit"}, {"transparent": "grey"}])
def test_settings_that_are_not_allowed(settings: dict[str, Any]) -> None:
    refused(pictures(), f"fetch.{next(iter(settings))}", **settings)


# Faults of folders


def test_a_picture_that_cannot_be_read_is_named() -> None:
    save_classes("mine")
    broken = Path("mine/square/00.png")
    for content, fact in ((b"no picture", "not a picture"), (b"", "is empty")):
        broken.write_bytes(content)
        refused("mine", str(broken), fact)
    whole = BytesIO()
    Image.fromarray(IMAGES[0]).save(whole, "PNG")
    broken.write_bytes(whole.getvalue()[:-40])
    refused("mine", str(broken), "damaged or truncated")
    broken.unlink()
    Path("mine/square/00.heic").write_bytes(b"\0\0\0\x18ftypheic")
    refused("mine", "mine/square/00.heic", "supported format")
    Path("mine/square/00.heic").unlink()
    broken.symlink_to("nowhere")
    refused("mine", str(broken), "not found")


@pytest.mark.parametrize(
    ("change", "facts"),
    [
        (lambda: Path("mine/empty").mkdir(), ["mine/empty has no pictures", "delete it"]),
        (lambda: save("mine/circle/more/1.png", IMAGES[0]), ["mine/circle has a folder 'more'", "fetch.source"]),
        (lambda: save_classes("mine/circle"), ["mine/circle has a folder 'circle'"]),
        (lambda: save_classes("mine/train"), ["mine/train has a folder 'circle'"]),
        (lambda: (save_classes("mine/train"), save_classes("mine/test")), ["training and test, and also circle"]),
        (lambda: Path("mine/a\nb").mkdir(), ["printable"]),
    ],
)
def test_class_folders_that_are_refused(change: Callable[[], object], facts: list[str]) -> None:
    save_classes("mine")
    change()
    refused("mine", *facts)


def test_other_folders_that_are_refused() -> None:
    Path("empty").mkdir()
    refused("empty", "fetch.source 'empty'", "one folder of pictures per class", ".npz")
    save("flat/1.png", IMAGES[0])
    refused("flat", "fetch.source 'flat'", "without class folders")
    refused("flat/1.png", "fetch.source 'flat/1.png' is not a folder, but a PNG picture")
    save_classes("one/archive/mine")
    refused("one", "one/archive has a folder 'mine'", "fetch.source")
    save_classes("single", names=["a", "a", "a"])
    refused("single", "every label is a", "at least two classes")
    save_classes("half/train")
    refused("half", "'train'", "not both", "set fetch.source to half/train")
    save("kaggle/test/1.png", IMAGES[0])
    save_classes("kaggle/train")
    refused("kaggle", "kaggle/test has no class folders")
    Path("folders/a").mkdir(parents=True)
    refused("folders", "folders/a has no pictures")


def test_a_class_that_occurs_only_in_the_test_folder(fetched: Callable[..., Fetched]) -> None:
    from stages.normalise_and_split.__main__ import main as split

    save_classes("mine/train", TRAIN)
    save_classes("mine/test", TEST, names=["circle", "square", "star"])
    fetched("mine")
    shares = {"test": "official", "validation": 0.0, "random_state": 0}
    Path("params.yaml").write_text(json.dumps({"split": shares}))
    with pytest.raises(UserError, match=r"class 'star' does not occur in the 18 training rows"):
        split()
    Path("params.yaml").write_text(json.dumps({"split": shares | {"test": 0.5}}))
    split()


# .npz


def divided(names: str, **changed: Any) -> dict[str, Any]:
    """Return the arrays of a data set by name, as Keras or MedMNIST name them."""
    arrays = {"train": (IMAGES[TRAIN], LABELS[TRAIN]), "test": (IMAGES[TEST], LABELS[TEST])}
    x, y = ("x_{}", "y_{}") if names == "keras" else ("{}_images", "{}_labels")
    return {
        **{x.format(part): images for part, (images, _) in arrays.items()},
        **{y.format(part): labels for part, (_, labels) in arrays.items()},
        **changed,
    }


@pytest.mark.parametrize("names", ["keras", "medmnist"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(names: str, save: Any, fetched: Callable[..., Fetched]) -> None:
    save("mine.npz", **divided(names))
    result = fetched("mine.npz")
    np.testing.assert_array_equal(result.images, IMAGES)
    assert result.labels == LABELS.tolist()
    assert result.train_rows == 18
    assert np.load("data/raw/labels.npy").dtype == np.uint8
    assert len(result.printed.splitlines()) == 1


def test_npz_of_medmnist_with_a_validation_part(fetched: Callable[..., Fetched]) -> None:
    arrays = divided("medmnist", val_images=IMAGES[:3], val_labels=LABELS[:3, None])
    np.savez("mine.npz", **arrays | {name: arrays[name][:, None] for name in ("train_labels", "test_labels")})
    result = fetched("mine.npz")
    np.testing.assert_array_equal(result.images, np.concatenate([IMAGES[TRAIN], IMAGES[:3], IMAGES[TEST]]))
    assert result.train_rows == 21 and "validation part counts as training rows" in result.printed


@pytest.mark.parametrize(
    ("images", "settings"),
    [
        (IMAGES[..., None], {}),
        (np.repeat(IMAGES[..., None], 3, axis=3), {}),
        (np.repeat(IMAGES[..., None], 3, axis=3) / 255, {"max_value": 1}),
        (IMAGES.reshape(24, -1), {}),
        (IMAGES.astype(np.int64), {}),
        (IMAGES.astype(">f4") / 255, {"max_value": 1}),
        (IMAGES.astype(np.uint16) * 257, {"max_value": 65535}),
    ],
    ids=["one channel", "colour", "colour 0-1", "rows", "int64", "floats", "uint16"],
)
def test_images_of_every_shape_and_type(
    images: NDArray[Any], settings: dict[str, Any], fetched: Callable[..., Fetched]
) -> None:
    np.savez("mine.npz", x=images, y=LABELS)
    result = fetched("mine.npz", **settings)
    np.testing.assert_array_equal(result.images, IMAGES)
    assert ("turned to grey" in result.printed) == (images.shape[-1] == 3)
    assert result.train_rows is None


@pytest.mark.parametrize("values", [np.uint8, np.float32])
def test_colours_of_arrays_have_the_grey_values_of_pictures(values: Any, fetched: Callable[..., Fetched]) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (6, 5, 5, 3)).astype(np.uint8)
    np.savez("mine.npz", images=colours.astype(values), labels=[0, 0, 0, 1, 1, 1])
    for row, pixels in enumerate(colours):
        save(f"mine/{row // 3}/{row}.png", pixels)
    difference = fetched("mine.npz").images.astype(int) - fetched("mine").images
    assert np.abs(difference).max() <= (values != np.uint8)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (np.array(SHAPE_NAMES)[LABELS], np.array(SHAPE_NAMES)[LABELS].tolist()),
        (np.array(SHAPE_NAMES, dtype="S")[LABELS], np.array(SHAPE_NAMES)[LABELS].tolist()),
        (LABELS.astype(float), LABELS.tolist()),
        (LABELS > 0, (LABELS > 0).astype(int).tolist()),
    ],
)
def test_labels_of_every_type(labels: Any, expected: Any, fetched: Callable[..., Fetched]) -> None:
    np.savez("mine.npz", x=IMAGES, y=labels)
    assert fetched("mine.npz").labels == expected


def test_arrays_that_are_not_square_are_refused_or_resized(fetched: Callable[..., Fetched]) -> None:
    np.savez("mine.npz", x=IMAGES[:, :6], y=LABELS)
    refused("mine.npz", "mine.npz: the images have 6 x 10 pixels", "fetch.size", "pad, crop or stretch")
    assert fetched("mine.npz", size=7).images.shape == (24, 7, 7)
    Path("idx").mkdir()
    names = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    contents = [encode(part) for part in (TRAIN, TEST) for encode in (_idx_images, _idx_labels)]
    for name, content in zip(names, contents, strict=True):
        Path("idx", f"{name}-ubyte").write_bytes(content)
    np.testing.assert_array_equal(fetched("idx", size=7).images, fetched("mine.npz", size=7).images)


def _idx_images(rows: slice) -> bytes:
    return idx_images(IMAGES[rows, :6])


def _idx_labels(rows: slice) -> bytes:
    return idx_labels(LABELS[rows])


@pytest.mark.parametrize(
    ("arrays", "facts"),
    [
        ({"x": IMAGES}, ["the arrays x;", "x_train", "train_images"]),
        ({"arr_0": IMAGES, "arr_1": LABELS}, ["the arrays arr_0, arr_1;", "x_train"]),
        ({"x": IMAGES, "y": LABELS[:-1]}, ["24 images", "23 labels"]),
        ({"x": IMAGES[:0], "y": LABELS[:0]}, ["x has the shape (0, 10, 10)", "at least one image"]),
        ({"x": IMAGES[:, :, :0], "y": LABELS}, ["x has the shape (24, 10, 0)"]),
        ({"x": IMAGES[:, None], "y": LABELS}, ["x has the shape (24, 1, 10, 10)", "(n, height, width, 3)"]),
        ({"x": IMAGES.ravel(), "y": LABELS}, ["x has the shape (2400,)"]),
        ({"x": IMAGES.reshape(24, -1)[:, 1:], "y": LABELS}, ["99 pixel columns", "square number"]),
        ({"x": IMAGES.astype(complex), "y": LABELS}, ["x has values of type complex128"]),
        ({"x": IMAGES.astype(str), "y": LABELS}, ["x has values of type <U3"]),
        ({"x": IMAGES, "y": np.eye(3)[LABELS]}, ["y has the shape (24, 3)", "one label per image"]),
        ({"x": IMAGES, "y": LABELS.astype("M8[s]")}, ["y has values of type datetime64"]),
        ({"x": IMAGES, "y": np.full(24, b"\xff")}, ["y has labels that are not text"]),
        ({"x": IMAGES, "y": np.where(LABELS, LABELS, np.nan)}, ["8 rows have no label"]),
        ({"x": np.where(IMAGES, IMAGES, np.nan), "y": LABELS}, ["is nan", "fetch.max_value"]),
        ({"x": IMAGES, "y": np.zeros(24)}, ["every label is 0", "at least two classes"]),
        (divided("keras", x_test=IMAGES[TEST, 1:, 1:]), ["10 x 10", "9 x 9"]),
    ],
)
def test_npz_that_is_refused(arrays: dict[str, Any], facts: list[str]) -> None:
    np.savez("mine.npz", **arrays)
    assert refused("mine.npz", *facts).startswith("mine.npz")


class Harmful:
    """An object whose pickle makes a folder when it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("harm",)


@pytest.mark.parametrize("name", ["x", "y"])
def test_pickled_objects_are_never_loaded(name: str) -> None:
    arrays: dict[str, Any] = {"x": IMAGES, "y": LABELS, name: np.array([Harmful()], dtype=object)}
    np.savez("mine.npz", **arrays)
    refused("mine.npz", f"the array {name} consists of pickled Python objects", "can contain code")
    Path("mine.npz").write_bytes(pickle.dumps(Harmful()))
    refused("mine.npz", "not a NumPy archive (.npz), but a Python pickle")
    assert not Path("harm").exists()


def test_npz_that_is_damaged() -> None:
    np.savez("whole.npz", x=IMAGES, y=LABELS)
    content = Path("whole.npz").read_bytes()
    for damaged in (content[:-1], content[:1000], b"", content[:200] + bytes(500) + content[700:]):
        Path("mine.npz").write_bytes(damaged)
        refused("mine.npz", "mine.npz")
    with zipfile.ZipFile("mine.npz", "w") as archive:
        for name in ("x", "y"):
            archive.writestr(name, b"text")
    refused("mine.npz", "mine.npz")
    Path("mine.npz").write_bytes(b"label,1x1\n")
    refused("mine.npz", "mine.npz is not a NumPy archive (.npz), but text")
    with Path("mine.npz").open("wb") as file:
        np.save(file, IMAGES)
    refused("mine.npz", "mine.npz is not a NumPy archive (.npz), but a NumPy array (.npy)")


# CSV


def table(rows: slice = slice(None), label: str = "label", labels: Any = LABELS) -> pd.DataFrame:
    """Return the images as a table with one column per pixel."""
    columns = [f"pixel{number}" for number in range(SIDE * SIDE)]
    frame = pd.DataFrame(IMAGES[rows].reshape(-1, SIDE * SIDE), columns=columns)
    frame.insert(0, label, np.asarray(labels)[rows])
    return frame


@pytest.mark.parametrize(
    "write",
    [
        lambda: table().to_csv("mine.csv", index=False),
        lambda: table().to_csv("mine.csv", index=False, sep=";", encoding="utf-8-sig", quoting=1),
        lambda: table(label="Class")[[*table().columns[1:], "Class"]].to_csv("mine.csv", index=False, sep="\t"),
        lambda: table().to_csv("mine.csv", index=False, header=False),
        lambda: Path("mine.csv").write_bytes(gzip.compress(table().to_csv(index=False).encode())),
        lambda: table().astype(float).to_csv("mine.csv", index=False, lineterminator="\r\n"),
    ],
    ids=["Kaggle", "semicolons, quoted", "label last", "no header", "gzip", "floats"],
)
def test_csv(write: Callable[[], object], fetched: Callable[..., Fetched]) -> None:
    write()
    result = fetched("mine.csv")
    np.testing.assert_array_equal(result.images, IMAGES)
    assert result.labels == LABELS.tolist() and result.train_rows is None


def test_csv_without_a_header_is_told(fetched: Callable[..., Fetched]) -> None:
    table().to_csv("mine.csv", index=False, header=False)
    assert "mine.csv has no header, so the first column is read as the label" in fetched("mine.csv").printed


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_two_csv_files_are_the_division(suffix: str, fetched: Callable[..., Fetched]) -> None:
    Path("mine").mkdir()
    table(TRAIN).to_csv(f"mine/fashion_train{suffix}", index=False)
    table(TEST).to_csv(f"mine/fashion_test{suffix}", index=False)
    Path("mine/sample.csv").write_text("id\n")
    result = fetched("mine")
    np.testing.assert_array_equal(result.images, IMAGES)
    assert result.train_rows == 18
    Path(f"mine/fashion_test{suffix}").unlink()
    refused_names = f"fashion_train{suffix}, sample.csv"
    Path("data/raw/images.npy").unlink()
    with pytest.raises(UserError, match=f"mine has {refused_names}; .* 'train' .* 'test'"):
        main()
    Path("mine/sample.csv").unlink()
    assert fetched("mine").train_rows is None


def test_text_labels_of_csv(fetched: Callable[..., Fetched]) -> None:
    names = np.array(["NA", "null", "b"])[LABELS]
    table(labels=names).to_csv("mine.csv", index=False)
    assert fetched("mine.csv").labels == names.tolist()


def cells(row: int, column: str, value: Any) -> pd.DataFrame:
    """Return the table with one cell changed."""
    frame = table().astype(object)
    frame.loc[row, column] = value
    return frame


@pytest.mark.parametrize(
    ("content", "facts"),
    [
        (cells(2, "pixel7", ""), ["row 3 of the images, column pixel7", "blank"]),
        (cells(2, "pixel7", "x"), ["row 3 of the images, column pixel7", "'x' is not a number"]),
        (cells(0, "label", ""), ["row 1 of the images, column label", "blank"]),
        (cells(1, "pixel9", -1), ["image 2, row 1, column 10 is -1", "fetch.max_value"]),
        (table(label="digit"), ["0 columns named label or labels or class or target", "digit, pixel0, pixel1"]),
        (table().iloc[:, 1:], ["0 columns named label", "fetch.source"]),
        (table().assign(target=0), ["2 columns named label"]),
        (table().iloc[:, :-1], ["pixel0 to pixel98", "99 pixel columns"]),
        (table().reset_index(), ["index to pixel99", "101 pixel columns"]),
        (table().iloc[:0], ["no rows"]),
        (table().iloc[:, :1], ["one column"]),
        ("", ["not a valid CSV file"]),
        ("label,a\n1,2,3,4\n5\n1,2\n", ["mine.csv"]),
        (b"label,\xff\n", ["not a valid CSV file", "utf-8"]),
        (table().to_csv(index=False).encode("utf-16"), ["not a valid CSV file"]),
        (gzip.compress(table().to_csv(index=False).encode())[:-20], ["damaged", "gzip"]),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), ["mine.csv"]),
    ],
)
def test_csv_that_is_refused(content: Any, facts: list[str]) -> None:
    if isinstance(content, pd.DataFrame):
        content = content.to_csv(index=False)
    Path("mine.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    refused("mine.csv", "mine.csv", *facts)


# Recognising sources


def test_files_behind_an_address(fetched: Callable[..., Fetched]) -> None:
    np.savez("mine.npz", x=IMAGES, y=LABELS)
    files = {"mine.npz": Path("mine.npz").read_bytes(), "mine.csv": table().to_csv(index=False).encode()}
    with Loopback() as site:
        address = site.serve("sets", files)
        for name in files:
            np.testing.assert_array_equal(fetched(f"{address}/{name}").images, IMAGES)
        Path("data/raw/images.npy").unlink()
        with pytest.raises(UserError, match=r"/none\.npz, given in fetch.source, does not exist \(404 Not Found\)"):
            fetched(f"{address}/none.npz")


def test_other_sources_are_refused_with_a_way_out() -> None:
    Path("folder").mkdir()
    np.savez("folder/mine.npz", x=IMAGES, y=LABELS)
    refused("folder", "folder with mine.npz; name the file itself")
    refused("nowhere", "fetch.source 'nowhere' does not exist", "one folder of pictures per class", "openml")
    Path("table.txt").write_text("label,a,b,c,d\n")
    refused("table.txt", "not a folder, but a table (CSV)", "docs/make-it-yours.md")


def test_csv_files_beside_folders_without_pictures(fetched: Callable[..., Fetched]) -> None:
    Path("mine/extra").mkdir(parents=True)
    table().to_csv("mine/mine.csv", index=False)
    assert len(fetched("mine").images) == 24
    Path("mine/extra").rmdir()
    save_classes("mine", TRAIN)
    assert len(fetched("mine").images) == 18


def test_many_pictures_show_progress(monkeypatch: pytest.MonkeyPatch, fetched: Callable[..., Fetched]) -> None:
    monkeypatch.setattr("stages.shared.process.console.SECONDS_BETWEEN_LINES", 0.0)
    assert "reading pictures: 24 of 24 pictures" in fetched(save_classes("mine")).printed
