"""Checks the keys and values of params.yaml, as far as possible without scikit-learn, Keras and the data."""

from collections.abc import Iterator

from pydantic import ValidationError
from ruamel.yaml.comments import CommentedMap

from stages.shared.errors import unknown_name
from stages.shared.params.baselines_section import Baselines
from stages.shared.params.fetch_section import Fetch
from stages.shared.params.mistakes import DeclarationError, Mistake, from_pydantic
from stages.shared.params.nets_section import Nets
from stages.shared.params.pictures_section import Pictures
from stages.shared.params.settings import Settings, differ_in_case
from stages.shared.params.split_section import Split
from stages.shared.params.training_section import Training
from stages.shared.params.yaml_file import Place, plain


class Params(Settings):
    """All sections of params.yaml."""

    fetch: Fetch
    split: Split
    training: Training
    baselines: Baselines
    nets: Nets
    pictures: Pictures


def check_structure(content: CommentedMap) -> Params:
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
    try:
        params = Params.model_validate(plain(content))
    except ValidationError as error:
        raise DeclarationError(*(from_pydantic((), details) for details in error.errors())) from None
    if mistakes := list(_wrong_references(params)):
        raise DeclarationError(*mistakes)
    return params


def _wrong_references(params: Params) -> Iterator[Mistake]:
    baselines, nets = params.baselines.root, params.nets.root
    lower = {name.lower(): name for name in baselines}
    for name in nets:
        if name in baselines:
            yield Mistake(("nets", name), "a baseline has this name too; the names of models must differ")
        elif name.lower() in lower:
            yield Mistake(("nets", name), differ_in_case(name, lower[name.lower()]))
    models = [*baselines, *nets]
    if not models:
        yield Mistake(("nets",), "'baselines' and 'nets' are both empty; declare at least one model")
    for name, layers in params.pictures.weights.items():
        place: Place = ("pictures", "weights", name)
        if name not in models:
            yield Mistake(place, unknown_name(name, models, "model"))
            continue
        known = ["coefficients"] if name in baselines else list(nets[name].layers)
        for layer in layers:
            if layer not in known:
                yield Mistake((*place, layer), unknown_name(layer, known, "layer"))
