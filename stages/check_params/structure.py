"""Keys and values of params.yaml: all that can be told without scikit-learn, Keras or the data."""

from typing import Any, NamedTuple

from pydantic import BaseModel
from ruamel.yaml.comments import CommentedMap

from stages.shared.errors import unknown_name
from stages.shared.params import (
    baselines_section,
    fetch_section,
    nets_section,
    pictures_section,
    split_section,
    training_section,
)
from stages.shared.params.declared import Declared
from stages.shared.params.mistakes import DeclarationError, Mistake
from stages.shared.params.settings import check_section
from stages.shared.params.yaml_file import Place

SECTIONS: dict[str, type[BaseModel]] = {
    "fetch": fetch_section.Fetch,
    "split": split_section.Split,
    "training": training_section.Training,
    "baselines": baselines_section.Baselines,
    "nets": nets_section.Nets,
    "pictures": pictures_section.Pictures,
}


class Sections(NamedTuple):
    """What the file declares of models and their pictures."""

    training: training_section.Training
    baselines: dict[str, Declared]
    nets: dict[str, nets_section.Net]
    pictures: pictures_section.Pictures


def check_structure(content: CommentedMap) -> Sections:
    """Check every section, and references from one section to another.

    Parameters
    ----------
    content : CommentedMap
        The file, as `yaml_file.read` returns it.

    Raises
    ------
    DeclarationError
        All mistakes.
    """
    mistakes = [Mistake((key,), unknown_name(key, SECTIONS, "section")) for key in content if key not in SECTIONS]
    checked: dict[str, Any] = {}
    for name, model in SECTIONS.items():
        try:
            checked[name] = check_section(name, model, content)
        except DeclarationError as error:
            mistakes += error.mistakes
    if mistakes:
        raise DeclarationError(*mistakes)

    declared = Sections(checked["training"], checked["baselines"].root, checked["nets"].root, checked["pictures"])
    for name in (name for name in declared.nets if name in declared.baselines):
        mistakes.append(Mistake(("nets", name), "a baseline has this name too; the names of models must differ"))
    if not declared.baselines and not declared.nets:
        mistakes.append(Mistake(("nets",), "'baselines' and 'nets' are both empty; declare at least one model"))
    models = [*declared.baselines, *declared.nets]
    for name, layers in declared.pictures.weights.items():
        place: Place = ("pictures", "weights", name)
        # A misspelt name would be ignored.
        if name not in models:
            mistakes.append(Mistake(place, unknown_name(name, models, "model")))
            continue
        known = ["coefficients"] if name in declared.baselines else list(declared.nets[name].layers)
        for layer in layers:
            if layer not in known:
                mistakes.append(Mistake((*place, layer), unknown_name(layer, known, "layer")))
    if mistakes:
        raise DeclarationError(*mistakes)
    return declared
