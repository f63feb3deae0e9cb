"""Section `nets`: neural networks, each declared by its Keras layers and its training."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, RootModel, field_validator, model_validator

from stages.shared.errors import unknown_name
from stages.shared.params.declared import Declared
from stages.shared.params.mistakes import error_below
from stages.shared.params.settings import RESERVED, Settings, load_section, names_of, one_of
from stages.shared.params.training_section import Seed, Threads

IMAGE = "image"

Precision = Literal["float32", "mixed_bfloat16"]
FULL_PRECISION: Precision = "float32"


class Layer(Declared):
    """A layer."""

    inputs: str | list[str] | None = None
    """Names of the layers whose outputs it takes ("image" is the input); null is the previous layer."""

    @field_validator("inputs", mode="before")
    @classmethod
    def _name_or_names(cls, value: Any) -> Any:
        # pydantic would report both types of the union.
        names = value if isinstance(value, list) else [value]
        if value is not None and not (names and all(isinstance(name, str) for name in names)):
            raise ValueError("must be the name of a layer or a list of names; leave it out for the previous layer")
        return value

    @property
    def input_names(self) -> list[str] | None:
        """Names of the layers whose outputs it takes; None is the previous layer."""
        return [self.inputs] if isinstance(self.inputs, str) else self.inputs


class EarlyStopping(Settings):
    """When to stop training before the last epoch."""

    patience: Annotated[int, Field(ge=1)]
    """Number of epochs in a row without a new lowest validation loss before training stops."""


class Net(Settings):
    """A net."""

    layers: Annotated[dict[str, Layer], Field(min_length=1), names_of("layer")]
    """Name -> layer, in order; the first takes the image, shape (height, width, 1)."""

    optimizer: Declared = Field(default_factory=lambda: Declared.model_validate({"class": "Adam"}))
    """A Keras optimiser; by default Adam with its default settings."""

    epochs: Annotated[int, Field(ge=1)]
    """Maximum number of passes over the training images."""

    batch_size: Annotated[int, Field(ge=1)]
    """Number of images per training step."""

    early_stopping: EarlyStopping | None = None
    """null trains all epochs and keeps the last weights."""

    precision: Precision = FULL_PRECISION
    """Number format of the computation; mixed_bfloat16 keeps weights, the output layer and layers that change images
    in float32, and is faster only on processors that multiply bfloat16."""

    seed: Seed | None = None
    """Overrides `training.seed`."""

    threads: Threads | None = None
    """Overrides `training.threads`."""

    @model_validator(mode="after")
    def _inputs_exist(self) -> Self:
        if IMAGE in self.layers:
            raise error_below(("layers", IMAGE), f"a layer cannot be named '{IMAGE}', the name of the input")
        earlier = [IMAGE]
        for name, layer in self.layers.items():
            for source in layer.input_names or []:
                if source not in earlier:
                    raise error_below(("layers", name, "inputs"), unknown_name(source, earlier, "earlier layer"))
            earlier.append(name)
        return self


class Nets(RootModel[Annotated[dict[str, Net], names_of("net", RESERVED)]]):
    """Name -> neural network, in the file's order."""


def load() -> dict[str, Net]:
    """Read and check the section; raises UserError."""
    return load_section("nets", Nets).root


def load_one(name: str) -> Net:
    """Read and check the section and return one net; raises UserError."""
    return one_of(load(), name, "net")
