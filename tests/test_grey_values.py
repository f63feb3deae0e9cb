"""Grey values that are not 0-255, dark digits on a light ground, transposed images: what fetch stores and says."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from stages.fetch.__main__ import main
from stages.fetch.grey_values import to_bytes
from stages.fetch.idx_files import from_folder
from stages.shared.errors import UserError
from stages.shared.params.fetch_section import Fetch
from tests.fixtures.idx_files import Digits, write
from tests.fixtures.loopback import Loopback
from tests.fixtures.openml_server import columns_of, openml
from tests.fixtures.small_project import ROOT

ROWS, TRAIN_ROWS = 400, 300


@pytest.fixture(scope="module")
def mnist() -> Digits:
    """The first digits of MNIST."""
    raw = from_folder(ROOT / "data" / "mnist")
    return Digits(raw.images[:ROWS], raw.labels[:ROWS], TRAIN_ROWS)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder, without a proxy."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def fetch(data: Digits, source: str = "source", **settings: Any) -> NDArray[np.uint8]:
    """Run the stage on a folder with this data set, and return the stored images."""
    write(Path(source), data.files())
    Path("params.yaml").write_text(json.dumps({"fetch": {"source": source, **settings}}))
    main()
    return stored()


def stored() -> NDArray[np.uint8]:
    images: NDArray[np.uint8] = np.load("data/raw/images.npy")
    assert images.dtype == np.uint8
    return images


def scaled(data: Digits, white: int) -> Digits:
    """Return the digits with grey values from 0 to `white`."""
    return data._replace(images=np.rint(data.images / 255 * white).astype(np.uint8))


@pytest.mark.parametrize("white", [1, 15, 16, 100, 127])
def test_grey_values_with_another_white(white: int, mnist: Digits, capsys: pytest.CaptureFixture[str]) -> None:
    data = scaled(mnist, white)
    with pytest.raises(
        UserError,
        match=rf"the largest grey value is {white}, but fetch.max_value .* 255; set fetch.max_value: {white}$",
    ):
        fetch(data)
    assert not Path("data").exists()
    images = fetch(data, max_value=white)
    np.testing.assert_array_equal(images, np.rint(data.images.astype(float) * 255 / white))
    assert images.max() == 255
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("fetched")
    with pytest.raises(UserError, match=rf"but fetch.max_value .* is {white / 2:g}; .* the largest is {white}$"):
        fetch(data, max_value=white / 2)


def test_a_largest_value_that_can_be_right_is_told(mnist: Digits, capsys: pytest.CaptureFixture[str]) -> None:
    data = scaled(mnist, 200)
    np.testing.assert_array_equal(fetch(data), data.images)
    assert "fetch: the largest grey value is 200, not 255; if this is white, set fetch.max_value: 200" in (
        capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("values", "white"), [(lambda x: x / 255, 1), (lambda x: x / 256, 1), (lambda x: x.astype(int) * 257, 65535)]
)
def test_other_numbers_of_openml(values: Any, white: int, mnist: Digits) -> None:
    pixels = values(columns_of(mnist.images[:30]))
    with Loopback() as site:
        site.answers |= openml(pixels, [str(label) for label in mnist.labels[:30]])
        dataset = {"data_id": 554, "server": site.address}
        Path("params.yaml").write_text(json.dumps({"fetch": {"source": "openml", "openml": dataset}}))
        with pytest.raises(UserError, match=r"data set 554.*fetch.max_value"):
            main()
        Path("params.yaml").write_text(
            json.dumps({"fetch": {"source": "openml", "openml": dataset, "max_value": white}})
        )
        main()
    np.testing.assert_allclose(stored(), mnist.images[:30], atol=1)


def test_the_default_changes_nothing(mnist: Digits) -> None:
    assert to_bytes(mnist.images, Fetch(source="x"), "x") is mnist.images


def test_dark_digits_on_a_light_ground(mnist: Digits, capsys: pytest.CaptureFixture[str]) -> None:
    inverted = mnist._replace(images=255 - mnist.images)
    fetch(inverted)
    assert "the ground is light (the median at the edges is 255 of 255)" in capsys.readouterr().out
    np.testing.assert_array_equal(fetch(inverted, inverted=True), mnist.images)
    assert "fetch:" not in capsys.readouterr().out
    fetch(mnist, inverted=True)
    assert "set fetch.inverted: false" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        (lambda test: test // 16, "255 and 0 of 255 in the training part, 15 and 0 in the test part"),
        (lambda test: 255 - test, "255 and 0 of 255 in the training part, 255 and 255 in the test part"),
    ],
)
def test_a_training_and_a_test_part_with_different_grey_values_are_told(
    change: Any, shown: str, mnist: Digits, capsys: pytest.CaptureFixture[str]
) -> None:
    images = np.concatenate([mnist.images[:TRAIN_ROWS], change(mnist.images[TRAIN_ROWS:])])
    fetch(mnist._replace(images=images))
    assert shown in capsys.readouterr().out


def test_transposed_images(mnist: Digits, capsys: pytest.CaptureFixture[str]) -> None:
    transposed = mnist._replace(images=mnist.images.transpose(0, 2, 1))
    fetch(transposed)
    assert "wider than high" in (note := capsys.readouterr().out) and "set fetch.transposed: true" in note
    images = fetch(transposed, transposed=True)
    np.testing.assert_array_equal(images, mnist.images)
    assert images.flags.c_contiguous and "fetch:" not in capsys.readouterr().out
    fetch(mnist, transposed=True)
    assert "set fetch.transposed: false" in capsys.readouterr().out


def test_emnist_letters(mnist: Digits, capsys: pytest.CaptureFixture[str]) -> None:
    # Labels from 1, as EMNIST's letters; zeros and fours alone are hardly higher than wide.
    chosen = np.isin(mnist.labels, [0, 4])
    letters = Digits(mnist.images[chosen].transpose(0, 2, 1), mnist.labels[chosen] // 4 + 1, 40)
    fetch(letters, "folder")
    assert "fetch:" not in capsys.readouterr().out
    fetch(letters, "EMNIST-letters")
    assert "set fetch.transposed: true" in capsys.readouterr().out
    fetch(letters, "EMNIST-letters", transposed=True)
    assert "fetch:" not in capsys.readouterr().out
    assert set(np.load("data/raw/labels.npy")) == {1, 2}


def test_all_settings_together(mnist: Digits) -> None:
    data = scaled(mnist, 16)
    images = 16 - data.images.transpose(0, 2, 1)
    result = fetch(data._replace(images=images), max_value=16, inverted=True, transposed=True)
    np.testing.assert_allclose(result, np.rint(data.images.astype(float) * 255 / 16), atol=1)


@pytest.mark.parametrize(
    "settings", [{"max_value": 0}, {"max_value": -1}, {"max_value": "16"}, {"inverted": 1}, {"transposed": "yes"}]
)
def test_values_that_are_not_allowed(settings: dict[str, Any], mnist: Digits) -> None:
    with pytest.raises(UserError, match=f"fetch.{next(iter(settings))}"):
        fetch(mnist, **settings)


def test_the_example_of_the_documentation() -> None:
    text = (ROOT / "docs" / "make-it-yours.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(compile(code, "docs/make-it-yours.md", "exec"), {})
    Path("params.yaml").write_text(json.dumps({"fetch": {"source": "digits-8x8.npz", "max_value": 16}}))
    main()
    assert stored().shape == (1797, 8, 8) and stored().max() == 255
