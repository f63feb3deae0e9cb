"""The trainings of a study: every combination of its levels, as a complete declaration of a model."""

import copy
import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from stages.shared.errors import unknown_name
from stages.shared.params.mistakes import declaration_error, describe
from stages.shared.params.yaml_file import Place
from studies.settings import MODEL, ROWS, Changes, Grid, Study, level_text

SECTIONS = ("baselines", "nets")


class Training(NamedTuple):
    """A model to train.

    Attributes
    ----------
    levels : dict
        Factor -> level.
    model : str
        Name in params.yaml.
    section : {"baselines", "nets"}
        Where it is declared.
    declaration : dict
        As in params.yaml, with all changes.
    rows : int or None
        Number of training rows, those that decide early stopping included; None: all of the pipeline's training set.
    seed : int
        Of the rows, the initial weights and the order of the rows.
    """

    levels: dict[str, Any]
    model: str
    section: str
    declaration: dict[str, Any]
    rows: int | None
    seed: int


def described(training: Training, facts: Mapping[str, Any]) -> str:
    """Return a line about a training that has ended, with its validation accuracy of `facts`."""
    levels = ", ".join(f"{factor} {level}" for factor, level in training.levels.items())
    return f"{levels}: validation accuracy {facts['validation_accuracy']:.4f}"


def selected(levels: Mapping[str, Any], among: Iterable[Training]) -> list[Training]:
    """Return the trainings that have these levels."""
    wanted = texts(levels).items()
    return [each for each in among if wanted <= texts(each.levels).items()]


def texts(levels: Mapping[str, Any]) -> dict[str, str]:
    """Return levels as tables have them."""
    return {factor: level_text(level) for factor, level in levels.items()}


def trainings(name: str, study: Study, params: Mapping[str, Any], classroom: bool = False) -> list[Training]:
    """List the trainings of a study.

    Parameters
    ----------
    name : str
        Of the study.
    study : Study
        The declaration.
    params : mapping
        The content of params.yaml.
    classroom : bool
        Whether to make the study as small as its `classroom` says.

    Returns
    -------
    list of Training
        By seed; within a seed in the order of the declaration.

    Raises
    ------
    DeclarationError
        A change or a model that params.yaml does not have, at its place in studies/studies.yaml.
    """
    found = [
        training
        for position, grid in enumerate(study.grids)
        for training in _of_grid(study, grid, ("studies", name), position, params, classroom)
    ]
    seeds = study.seeds[: study.classroom.seeds] if classroom else study.seeds
    return [training for seed in seeds for training in found if training.seed == seed]


def _of_grid(
    study: Study, grid: Grid, place: Place, position: int, params: Mapping[str, Any], classroom: bool
) -> Iterator[Training]:
    here = (*place, "grids", position)
    changed = change(change(params, study.set_, (*place, "set")), grid.set_, (*here, "set"))
    options = {factor: _levels(study, grid, factor, classroom) for factor in grid.vary}
    for combination in itertools.product(*options.values()):
        levels = dict(zip(options, combination, strict=True))
        content = changed
        for factor, level in levels.items():
            if factor not in (MODEL, ROWS):
                values = grid.vary[factor]
                changes = values[level] if isinstance(values, dict) else {factor: level}
                below = (factor, level) if isinstance(values, dict) else (factor,)
                content = change(content, changes, (*here, "vary", *below), names=isinstance(values, dict))
        model = study.model if study.model is not None else levels[MODEL]
        section = next((each for each in SECTIONS if model in content[each]), None)
        if section is None:
            where = (*place, MODEL) if study.model is not None else (*here, "vary", MODEL)
            raise declaration_error(where, unknown_name(model, [*content["baselines"], *content["nets"]], "model"))
        rows = levels.get(ROWS)
        if classroom:
            rows = min(rows or study.classroom.rows, study.classroom.rows)
        for seed in grid.seeds or study.seeds:
            yield Training(levels, model, section, content[section][model], rows, seed)


def _levels(study: Study, grid: Grid, factor: str, classroom: bool) -> list[Any]:
    levels = list(grid.vary[factor])
    if not classroom:
        return levels
    wanted = {level_text(level) for level in study.classroom.levels.get(factor, levels)}
    kept = [level for level in levels if level_text(level) in wanted]
    if factor == ROWS:
        kept = [level for level in kept if level is None or level <= study.classroom.rows]
    return kept


def change(params: Mapping[str, Any], changes: Changes, place: Place, names: bool = True) -> dict[str, Any]:
    """Change settings, in the words of `dvc exp run --set-param`: `+` before a key adds it, `~` removes it.

    Parameters
    ----------
    params : mapping
        The content of params.yaml; it is not changed.
    changes : dict
        Setting, with dots between the keys -> value.
    place : Place
        Of the changes in studies/studies.yaml.
    names : bool
        Whether the keys of `changes` are keys of the file below `place`.

    Raises
    ------
    DeclarationError
        A setting to change or to remove is missing, one to add is there, or it is not of a model.
    """
    content = copy.deepcopy(dict(params))
    for setting, value in changes.items():
        where = (*place, setting) if names else place
        *above, last = setting.lstrip("+~").split(".")
        if not above or above[0] not in SECTIONS:
            raise declaration_error(where, f"'{setting}' is not a setting of a model, below {' or '.join(SECTIONS)}")
        mapping: Any = content
        for key in above:
            mapping = _below(mapping, key, setting, where, "")
        if setting.startswith("+") and isinstance(mapping, dict):
            mapping.setdefault(last)
        _below(mapping, last, setting, where, "; a '+' before a setting adds it")
        if setting.startswith("~"):
            del mapping[last]
        else:
            mapping[last] = copy.deepcopy(value)
    return content


def _below(mapping: Any, key: str, setting: str, where: Place, remedy: str) -> Any:
    if not isinstance(mapping, dict):
        raise declaration_error(where, f"'{setting}': the value above '{key}' is {describe(mapping)}, not a mapping")
    if key not in mapping:
        raise declaration_error(where, unknown_name(key, mapping, f"key of '{setting}':") + remedy)
    return mapping[key]
