"""Checks the declarations of a study's trainings."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from stages.check_params.classes import Schema, check_classes
from stages.shared.params.baselines_section import Baselines
from stages.shared.params.mistakes import DeclarationError, Mistake, declaration_error, describe, dotted, from_pydantic
from stages.shared.params.nets_section import Nets
from studies.settings import Study, sides
from studies.trainings import Training, selected

SECTIONS: Mapping[str, type[BaseModel]] = {"baselines": Baselines, "nets": Nets}


def check_trainings(study: str, trainings: Sequence[Training], definitions: Mapping[str, Schema]) -> None:
    """Check the declared models of a study, as check-params checks those of params.yaml.

    Parameters
    ----------
    study : str
        Name of the study.
    trainings : sequence of Training
        Of the study.
    definitions : mapping
        As `read_definitions` returns them.

    Raises
    ------
    DeclarationError
        The mistakes of the first wrong declaration, with the levels that lead to it.
    """
    first = trainings[0].seed
    for training in trainings:
        if training.seed == first:
            _check(study, training, definitions)


def check_claims(name: str, study: Study, trainings: Sequence[Training]) -> None:
    """Check that the levels of each claim select one training per seed.

    Parameters
    ----------
    name, study : str, Study
        The study.
    trainings : sequence of Training
        Of the study.

    Raises
    ------
    DeclarationError
        They select none, or several.
    """
    for position, claim in enumerate(study.claims):
        for side, levels in sides(claim).items():
            place = ("studies", name, "claims", position, side)
            found = selected(levels, trainings)
            if not found:
                raise declaration_error(place, f"no training has {described(levels)}")
            if len(found) > len({each.seed for each in found}):
                text = f"several trainings have {described(levels)}; name a level of each factor"
                raise declaration_error(place, text)


def described(levels: Mapping[str, Any]) -> str:
    """Return levels as text, for messages."""
    return ", ".join(f"{factor} {describe(level)}" for factor, level in levels.items())


def _check(study: str, training: Training, definitions: Mapping[str, Any]) -> None:
    sections: dict[str, Any] = {"baselines": {}, "nets": {}}
    sections[training.section] = {training.model: training.declaration}
    try:
        try:
            SECTIONS[training.section].model_validate(sections[training.section])
        except ValidationError as error:
            prefix = (training.section,)
            raise DeclarationError(*(from_pydantic(prefix, details) for details in error.errors())) from None
        check_classes(sections, definitions)
    except DeclarationError as error:
        text = f"with {described(training.levels)}: "
        raise DeclarationError(
            *(Mistake(("studies", study), f"{text}{dotted(each.place)}: {each.text}") for each in error.mistakes)
        ) from None
