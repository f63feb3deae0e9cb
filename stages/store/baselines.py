"""Fitted scikit-learn classifiers as .skops files, with the same bytes in every process."""

import json
import zipfile
from typing import Any

import skops.io
from sklearn.base import ClassifierMixin

from stages.console import UserError
from stages.store.archives import read_archive, write_archive
from stages.store.files import existing, replacing
from stages.store.places import baseline_file

# What skops does not trust by itself and scikit-learn's classifiers are made of; nothing else is loaded.
TRUSTED: tuple[str, ...] = ()


def save_baseline(name: str, model: ClassifierMixin) -> None:
    """Write a fitted classifier as models/baselines/NAME.skops.

    Parameters
    ----------
    name : str
        The baseline's name in params.yaml.
    model : ClassifierMixin
        A plain scikit-learn classifier.

    Raises
    ------
    UserError
        The classifier holds something of a type that `load_baseline` would refuse.
    """
    with replacing(baseline_file(name)) as temporary:
        skops.io.dump(model, temporary)
        refused = sorted(set(skops.io.get_untrusted_types(file=temporary)) - set(TRUSTED))
        if refused:
            raise UserError(
                f"the classifier of baselines.{name} cannot be saved: it holds {', '.join(refused)}, "
                "which a safe model file may not hold; choose another classifier or other settings"
            )
        write_archive(temporary, _fixed(read_archive(temporary)))


def load_baseline(name: str) -> ClassifierMixin:
    """Read models/baselines/NAME.skops; makes objects of trusted types alone.

    Raises
    ------
    UserError
        The file is missing, damaged, or holds a type that is not trusted.
    """
    path = existing(baseline_file(name))
    try:
        return skops.io.load(path, trusted=list(TRUSTED))
    except (skops.io.exceptions.UntrustedTypesFoundException, TypeError, KeyError, ValueError) as error:
        raise UserError(f"{path} cannot be loaded: {' '.join(str(error).split())[:200]}") from error
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise UserError(f"{path} is damaged: {' '.join(str(error).split())[:200]}") from error


def _fixed(members: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """Replace memory addresses in the schema and in the members' names by numbers in order of first use."""
    contents = dict(members)
    numbers: dict[str, int] = {}

    def renumbered(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: number(item) if key == "__id__" else named(key, item) for key, item in value.items()}
        if isinstance(value, list):
            return [renumbered(item) for item in value]
        return value

    def number(address: object) -> int:
        return numbers.setdefault(str(address), len(numbers) + 1)

    def named(key: str, item: Any) -> Any:
        if key == "file" and isinstance(item, str) and item in contents:
            stem, _, ending = item.partition(".")
            name = f"{number(stem)}.{ending}"
            files[name] = contents[item]
            return name
        return renumbered(item)

    files: dict[str, bytes] = {}
    schema = renumbered(json.loads(contents["schema.json"]))
    return [*files.items(), ("schema.json", json.dumps(schema).encode())]
