"""Section `training`: what all models share."""

from typing import Annotated

from pydantic import Field

from stages.shared.params.settings import Settings, load_section

Seed = Annotated[int, Field(ge=0, lt=2**32)]
Threads = Annotated[int, Field(ge=0)]


class Training(Settings):
    """The section.

    Attributes
    ----------
    seed : int
        Of every random number in training, unless a model names its own.
    threads : int
        How many processor cores a computation is divided among, unless a net names its own; 0 takes all.
    train_accuracy_rows : int or None
        Number of training rows that the training accuracy is measured on; None takes all.
    """

    seed: Seed
    threads: Threads
    train_accuracy_rows: Annotated[int, Field(ge=1)] | None


def load() -> Training:
    """Read and check the section; raises UserError."""
    return load_section("training", Training)
