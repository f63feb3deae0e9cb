"""Section `nets`: neural nets, each a chain of Keras layers in Keras's own words, and how it is trained."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, RootModel, field_validator, model_validator

from stages.shared.errors import UserError, unknown_name
from stages.shared.params.declared import Declared
from stages.shared.params.mistakes import error_below
from stages.shared.params.settings import Settings, check_names, load_section
from stages.shared.params.training_section import Seed, Threads

IMAGE = "image"

Precision = Literal["float32", "mixed_bfloat16"]
FULL_PRECISION: Precision = "float32"


class Layer(Declared):
    """A layer.

    Attributes
    ----------
    inputs : str, list of str or None
        Names of the layers that feed it ("image" is the input); None is the layer before it.
    """

    inputs: str | list[str] | None = None

    @field_validator("inputs", mode="before")
    @classmethod
    def _name_or_names(cls, value: Any) -> Any:
        # pydantic would report both types of the union.
        names = value if isinstance(value, list) else [value]
        if value is not None and not all(isinstance(name, str) for name in names):
            raise ValueError("must be the name of a layer or a list of names")
        return value

    @property
    def input_names(self) -> list[str] | None:
        """The names of the layers that feed it, or None for the layer before."""
        return [self.inputs] if isinstance(self.inputs, str) else self.inputs


class EarlyStopping(Settings):
    """When training ends before its last epoch.

    Attributes
    ----------
    patience : int
        How many epochs in a row the validation loss may fail to fall below its lowest.
    """

    patience: Annotated[int, Field(ge=1)]


class Net(Settings):
    """A net.

    Attributes
    ----------
    layers : dict of str to Layer
        Name -> layer, in order; the first is fed the image, shape (height, width, 1).
    optimizer : Declared
        Keras optimiser; Adam with its defaults if not given.
    epochs : int
        The most passes over the training rows.
    batch_size : int
        Rows a step.
    early_stopping : EarlyStopping or None
        None trains all epochs and keeps the last weights.
    precision : {"float32", "mixed_bfloat16"}
        What the layers compute in; "mixed_bfloat16" keeps the weights, and the last layer's output, in float32.
        Worth it where the processor multiplies bfloat16 itself; elsewhere it may be slower.
    seed, threads : int or None
        In place of the section `training`'s.
    """

    layers: Annotated[dict[str, Layer], Field(min_length=1)]
    optimizer: Declared = Field(default_factory=lambda: Declared.model_validate({"class": "Adam"}))
    epochs: Annotated[int, Field(ge=1)]
    batch_size: Annotated[int, Field(ge=1)]
    early_stopping: EarlyStopping | None = None
    precision: Precision = FULL_PRECISION
    seed: Seed | None = None
    threads: Threads | None = None

    @field_validator("layers", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError("must be a mapping of name -> layer")
        check_names(value, "layer")
        if IMAGE in value:
            raise error_below((IMAGE,), f"a layer cannot be named '{IMAGE}', the name of the input")
        return value

    @model_validator(mode="after")
    def _inputs_exist(self) -> Self:
        earlier = [IMAGE]
        for name, layer in self.layers.items():
            for source in layer.input_names or []:
                if source not in earlier:
                    raise error_below(
                        ("layers", name, "inputs"),
                        unknown_name(source, earlier, "earlier layer"),
                    )
            if layer.input_names == []:
                raise error_below(("layers", name, "inputs"), "the list is empty; leave it out for the previous layer")
            earlier.append(name)
        return self


class Nets(RootModel[dict[str, Net]]):
    """The section: name -> net, in the file's order."""

    @field_validator("root", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError("must be a mapping of name -> net ('{}' for none)")
        check_names(value, "net")
        return value


def load() -> dict[str, Net]:
    """Read and check the section; raises UserError."""
    return load_section("nets", Nets).root


def load_one(name: str) -> Net:
    """Read and check the section and return one net; raises UserError."""
    declared = load()
    if name not in declared:
        raise UserError(f"params.yaml declares no net '{name}'; it declares {', '.join(declared) or 'none'}")
    return declared[name]
