"""Section `studies` of studies/studies.yaml: questions, what is trained to answer them, and the rules that decide."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from ruamel.yaml.comments import CommentedMap

from stages.shared.params.mistakes import DeclarationError, error_below, from_pydantic
from stages.shared.params.settings import Settings, names_of
from stages.shared.params.training_section import Seed
from stages.shared.params.yaml_file import plain

STUDIES = Path("studies/studies.yaml")

STAGES = ("plan", "judge", "page")  # of studies/dvc.yaml, beside those named after the studies
MODEL, ROWS = "model", "rows"  # factors that are no settings of params.yaml

Changes = dict[str, Any]  # setting of params.yaml -> value, in the words of `dvc exp run --set-param`
Levels = dict[str, str | int | float | bool | None]  # factor -> level
Measure = Literal["train_accuracy", "validation_accuracy", "test_accuracy", "validation_loss"]


def level_text(level: Any) -> str:
    """Return a level as tables have it: as YAML writes it, and "" for null."""
    return "" if level is None else str(level).lower() if isinstance(level, bool) else str(level)


class Grid(Settings):
    """Trainings: every combination of the levels of its factors, each with every seed."""

    vary: dict[str, list[Any] | dict[str, Changes]] = Field(default_factory=dict)
    """Factor -> levels. `model` has names of models, `rows` numbers of training rows, a setting of params.yaml its
    values; any other factor has named levels, each with the settings that it changes."""

    set_: Changes = Field(default_factory=dict, alias="set")
    """Settings of params.yaml that all these trainings change."""

    seeds: Annotated[list[Seed], Field(min_length=1)] | None = None
    """Some of the study's seeds; null takes all."""

    @field_validator("vary")
    @classmethod
    def _levels(cls, vary: dict[str, Any]) -> dict[str, Any]:
        for factor, levels in vary.items():
            if not levels:
                raise error_below((factor,), "must have at least one level")
            is_setting = factor in (MODEL, ROWS) or "." in factor
            if is_setting != isinstance(levels, list):
                text = "must be a list of values" if is_setting else "must be a mapping: level -> settings it changes"
                raise error_below((factor,), f"{text}, because the factor is {'' if is_setting else 'not '}a setting")
            for position, level in enumerate(levels if is_setting else ()):
                if isinstance(level, dict | list):
                    text = "a level that is a mapping or a list needs a name: name a factor, and its levels"
                    raise error_below((factor, position), text)
                if factor == ROWS and level is not None and (type(level) is not int or level < 20):
                    raise error_below((factor, position), "must be a number of rows of at least 20, or null for all")
        return vary


class Claim(Settings):
    """A comparison that is declared before it is measured."""

    claim: str
    """A sentence that says that the first levels are better."""

    measure: Measure
    """What is compared; higher is better, except for the loss."""

    better: Annotated[Levels, Field(min_length=1)]
    """Factor -> level; all others are those of `than`."""

    than: Annotated[Levels, Field(min_length=1)]
    """Factor -> level."""

    margin: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Differences below it do not matter in practice; of accuracies, 0.001 is 0.1 points."""


def sides(claim: Claim) -> dict[str, Levels]:
    """Return the levels of both sides of a claim, each completed by those of the other."""
    return {"better": {**claim.than, **claim.better}, "than": {**claim.better, **claim.than}}


class Figure(Settings):
    """The figure of a study: a measure against a factor."""

    x: str
    """A factor with numbers, or with named levels."""

    y: Measure
    """The measure."""

    lines: str | None = None
    """A factor with one line per level."""

    log_x: bool = False
    """Whether the axis of the factor is logarithmic."""


class Classroom(Settings):
    """A smaller study, for about three minutes."""

    rows: Annotated[int, Field(ge=20)]
    """Largest number of training rows."""

    seeds: Annotated[int, Field(ge=1)] = 3
    """Number of seeds, the first of the study."""

    levels: dict[str, list[Any]] = Field(default_factory=dict)
    """Factor -> levels that remain; a factor that is not named keeps all."""


class Study(Settings):
    """A study."""

    question: str
    """The question, in words."""

    source: str
    """Where it was asked, for example an exercise of the notebook."""

    model: str | None = None
    """A model of params.yaml, or one that `set` adds; null if it is a factor."""

    seeds: Annotated[list[Seed], Field(min_length=1)]
    """One stage per seed. It sets the training rows, the initial weights and the order of the rows, for all levels."""

    grids: Annotated[list[Grid], Field(min_length=1)]
    """What is trained."""

    set_: Changes = Field(default_factory=dict, alias="set")
    """Settings of params.yaml that all trainings of the study change."""

    claims: list[Claim] = Field(default_factory=list)
    """What is decided. Six seeds are the fewest that can decide at the 5 % level."""

    figure: Figure
    """What is drawn."""

    classroom: Classroom
    """The size for a classroom."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len({*self.seeds}) < len(self.seeds):
            raise error_below(("seeds",), "a seed is listed twice")
        factors = {factor for grid in self.grids for factor in grid.vary}
        for position, grid in enumerate(self.grids):
            place = ("grids", position)
            if other := {*(grid.seeds or ())} - {*self.seeds}:
                raise error_below((*place, "seeds"), f"{min(other)} is not one of the study's seeds")
            if (MODEL in grid.vary) == (self.model is not None):
                text = "'model' of the study is null" if self.model is None else "the study has a 'model'"
                raise error_below(
                    place, f"{'needs the' if self.model is None else 'cannot have a'} factor 'model': {text}"
                )
        self._known_factors(factors)
        return self

    def _known_factors(self, factors: set[str]) -> None:
        named: list[tuple[tuple[str | int, ...], str | None]] = [
            (("figure", "x"), self.figure.x),
            (("figure", "lines"), self.figure.lines),
            *((("classroom", "levels", factor), factor) for factor in self.classroom.levels),
            *(
                (("claims", position, side, factor), factor)
                for position, claim in enumerate(self.claims)
                for side, levels in (("better", claim.better), ("than", claim.than))
                for factor in levels
            ),
        ]
        for place, factor in named:
            if factor is not None and factor not in factors:
                raise error_below(place, f"'{factor}' is not a factor; the factors are {', '.join(sorted(factors))}")


class StudiesFile(Settings):
    """studies/studies.yaml."""

    threads: Annotated[int, Field(ge=1)]
    """Number of processor cores of a training. All of a machine would be another number on another machine."""

    studies: Annotated[dict[str, Study], names_of("study", STAGES)]
    """Name -> study."""


def check_studies(content: CommentedMap) -> StudiesFile:
    """Check the content of studies/studies.yaml; raises DeclarationError."""
    try:
        return StudiesFile.model_validate(plain(content))
    except ValidationError as error:
        raise DeclarationError(*(from_pydantic((), details) for details in error.errors())) from None
