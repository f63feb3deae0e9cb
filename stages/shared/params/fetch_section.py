"""Section `fetch`: the source of the data set."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from stages.shared.params.mistakes import error_below
from stages.shared.params.settings import Settings, load_section

PositiveInt = Annotated[int, Field(ge=1)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class OpenML(Settings):
    """A data set of OpenML, by name and version or by id."""

    name: str | None = None
    """Name of the data set; the notebook loads mnist_784."""

    version: PositiveInt | None = None
    """Version of the data set; required with a name, so that later uploads change nothing."""

    data_id: PositiveInt | None = None
    """Id of the data set, instead of name and version."""

    train_rows: PositiveInt | None = None
    """Number of rows, from the first, that form the data set's own training set; OpenML does not provide it."""

    server: str | None = None
    """Address of a mirror of OpenML."""

    @model_validator(mode="after")
    def _name_or_id(self) -> Self:
        if (self.name is None) == (self.data_id is None):
            raise error_below((), "must declare one data set: either 'name' with 'version', or 'data_id'")
        if self.name is not None and self.version is None:
            raise error_below(("version",), "missing beside 'name'; without it, a later upload would change the data")
        return self


class Checksums(Settings):
    """SHA-256 of the bytes of the arrays in data/raw (row-major, without a header); null is not checked."""

    images: Sha256 | None = None
    labels: Sha256 | None = None


class Fetch(Settings):
    """The source of the data set."""

    source: Annotated[str, StringConstraints(min_length=1)]
    """A folder with one folder of pictures per class; an .npz or .csv file, or a folder with a CSV file of training and
    one of test rows; a folder with four IDX files named as MNIST's; an http(s) address of these files; or "openml"."""

    openml: OpenML | None = None
    """The data set, if the source is "openml"."""

    size: PositiveInt | None = None
    """Height and width in pixels that all images are resized to; null: they are square and of one size already."""

    square: Literal["pad", "crop", "stretch"] = "pad"
    """How resized images that are not square become square: filled at the sides, cut, or with other proportions."""

    transparent: Literal["white", "black"] = "white"
    """What the transparent parts of pictures become."""

    max_value: Annotated[float, Field(gt=0)] = 255
    """Grey value of white in the source: 255, 16 for scikit-learn's digits, 1 for values from 0 to 1."""

    inverted: bool = False
    """Whether the source has dark digits on a light ground; they are stored light on dark, as MNIST's."""

    transposed: bool = False
    """Whether the source has images that are transposed, as EMNIST's; they are stored upright."""

    preparation: Literal["mnist", "as-is"] = "mnist"
    """How inference.predict prepares pictures: "mnist" crops, scales and centres digits as MNIST's were; "as-is" only
    resizes pictures, for images that were not prepared so."""

    sha256: Checksums | None = None
    """Expected checksums of the arrays."""

    @model_validator(mode="after")
    def _openml_is_declared(self) -> Self:
        if self.source == "openml" and self.openml is None:
            raise error_below(("openml",), "missing; it declares the data set when the source is openml")
        return self


def load() -> Fetch:
    """Read and check the section; raises UserError."""
    return load_section("fetch", Fetch)
