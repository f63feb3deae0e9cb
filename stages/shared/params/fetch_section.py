"""Section `fetch`: where the data set comes from."""

from typing import Annotated, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from stages.shared.params.settings import Settings, load_section

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class OpenML(Settings):
    """A data set of OpenML, by name and version or by number.

    Attributes
    ----------
    name : str or None
        Its name; mnist_784 is the one the notebook loads.
    version : int or None
        Its version; needed with a name, so that a later upload changes nothing.
    data_id : int or None
        Its number, in place of name and version.
    train_rows : int or None
        How many of its first rows are the data set's own training part; OpenML does not tell.
    server : str or None
        Address of a mirror in place of OpenML itself.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"name": {"type": "string"}}, "required": ["name"]},
            "then": {
                "properties": {"version": {"type": "integer"}, "data_id": {"type": "null"}},
                "required": ["version"],
            },
            "else": {"properties": {"data_id": {"type": "integer"}}, "required": ["data_id"]},
        }
    )

    name: str | None = None
    version: Annotated[int, Field(ge=1)] | None = None
    data_id: Annotated[int, Field(ge=1)] | None = None
    train_rows: Annotated[int, Field(ge=1)] | None = None
    server: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.name is None) == (self.data_id is None):
            raise ValueError("name one data set: either 'name' with 'version', or 'data_id'")
        if self.name is not None and self.version is None:
            raise ValueError("'version' is missing beside 'name'; without it a later upload would change the data")
        return self


class Checksums(Settings):
    """SHA-256 of the fetched arrays' bytes (row-major, without any header); null leaves one unchecked."""

    images: Sha256 | None = None
    labels: Sha256 | None = None


class Fetch(Settings):
    """The section.

    Attributes
    ----------
    source : str
        A folder or an http(s) address with the four IDX files of MNIST's names, gzipped or not; or "openml".
    openml : OpenML or None
        Which data set, where the source is "openml".
    sha256 : Checksums or None
        What the arrays must hash to.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"source": {"const": "openml"}}},
            "then": {"properties": {"openml": {"type": "object"}}, "required": ["openml"]},
        }
    )

    source: Annotated[str, StringConstraints(min_length=1)]
    openml: OpenML | None = None
    sha256: Checksums | None = None

    @model_validator(mode="after")
    def _openml_is_named(self) -> Self:
        if self.source == "openml" and self.openml is None:
            raise ValueError("'openml' is missing: with source openml it names the data set")
        return self


def load() -> Fetch:
    """Read and check the section; raises UserError."""
    return load_section("fetch", Fetch)
