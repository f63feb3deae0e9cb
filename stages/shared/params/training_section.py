"""Section `training`: settings of all models."""

from typing import Annotated

from pydantic import Field

from stages.shared.params.settings import Settings, load_section

Seed = Annotated[int, Field(ge=0, lt=2**32)]
Threads = Annotated[int, Field(ge=0)]


class Training(Settings):
    """Settings of all models."""

    seed: Seed
    """Seed of all random numbers in training, unless a net has its own."""

    threads: Threads
    """Number of processor cores, unless a net has its own; 0 takes all."""

    train_accuracy_rows: Annotated[int, Field(ge=1)] | None
    """Number of training rows for the training accuracy; null takes all."""


def load() -> Training:
    """Read and check the section; raises UserError."""
    return load_section("training", Training)
