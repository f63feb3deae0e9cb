"""Keys and values of params.yaml: all that can be told without scikit-learn, Keras or the data."""

from typing import Any, NamedTuple

from pydantic import BaseModel
from ruamel.yaml.comments import CommentedMap

from stages.params import baselines, fetch, nets, pictures, split, training
from stages.params.declared import Declared
from stages.params.reading import at, section, unknown
from stages.program.console import UserError

SECTIONS: dict[str, type[BaseModel]] = {
    "fetch": fetch.Fetch,
    "split": split.Split,
    "training": training.Training,
    "baselines": baselines.Baselines,
    "nets": nets.Nets,
    "pictures": pictures.Pictures,
}


class Sections(NamedTuple):
    """What the file declares of models and their pictures."""

    training: training.Training
    baselines: dict[str, Declared]
    nets: dict[str, nets.Net]
    pictures: pictures.Pictures


def check_structure(content: CommentedMap) -> Sections:
    """Check every section, and what one section says of another.

    Parameters
    ----------
    content : CommentedMap
        The file, as `stages.params.reading.read` returns it.

    Raises
    ------
    UserError
        All mistakes, one a line.
    """
    mistakes = [
        at(content, (key,), unknown(key, SECTIONS, "section"), parent=()) for key in content if key not in SECTIONS
    ]
    checked: dict[str, Any] = {}
    for name, model in SECTIONS.items():
        try:
            checked[name] = section(name, model, content)
        except UserError as error:
            mistakes.append(str(error))
    if mistakes:
        raise UserError("\n".join(mistakes))

    declared = Sections(checked["training"], checked["baselines"].root, checked["nets"].root, checked["pictures"])
    for name in (name for name in declared.nets if name in declared.baselines):
        mistakes.append(at(content, ("nets", name), "a baseline has this name too; each model needs its own"))
    if not declared.baselines and not declared.nets:
        mistakes.append("params.yaml: 'baselines' and 'nets' are both empty; declare one model at least")
    models = [*declared.baselines, *declared.nets]
    for name, layers in declared.pictures.weights.items():
        path = ("pictures", "weights", name)
        # A misspelt name would be ignored.
        if name not in models:
            mistakes.append(at(content, path, unknown(name, models, "model"), parent=path[:-1]))
            continue
        known = ["coefficients"] if name in declared.baselines else list(declared.nets[name].layers)
        for layer in layers:
            if layer not in known:
                mistakes.append(at(content, (*path, layer), unknown(layer, known, "layer"), parent=path))
    if mistakes:
        raise UserError("\n".join(mistakes))
    return declared
