"""Trained nets as .keras files that plain Keras loads, with the same bytes in every process."""

import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import keras

from stages.console import UserError
from stages.store.archives import read_archive, write_archive
from stages.store.files import existing, replacing
from stages.store.places import net_file


def save_net(name: str, model: keras.Model) -> None:
    """Write a net as models/nets/NAME.keras, without its optimiser's state: it is there to predict.

    Parameters
    ----------
    name : str
        The net's name in params.yaml.
    model : keras.Model
        A functional model with one input and one output.
    """
    # A second model of the same layers, never compiled, has no optimiser to save.
    bare = keras.Model(model.inputs[0], model.outputs[0], name=name)
    with replacing(net_file(name)) as temporary:
        bare.save(temporary)
        members = read_archive(temporary)
        write_archive(temporary, [(member, _fixed(member, content)) for member, content in members])


def load_net(name: str) -> keras.Model:
    """Read models/nets/NAME.keras as `load_net_file` does."""
    return load_net_file(net_file(name))


def load_net_file(path: Path) -> keras.Model:
    """Read a .keras file; runs no code that the file brings along.

    Raises
    ------
    UserError
        The file is missing, damaged, or holds what Keras's safe mode refuses.
    """
    try:
        return keras.saving.load_model(existing(path), compile=False, safe_mode=True)
    except (ValueError, TypeError, KeyError, AttributeError, OSError, zipfile.BadZipFile, zlib.error) as error:
        # Keras puts the layer's whole configuration before the reason.
        reason = str(error).split("Exception encountered: ")[-1]
        raise UserError(f"{path} cannot be loaded as a Keras model: {' '.join(reason.split())[:200]}") from error


def _fixed(member: str, content: bytes) -> bytes:
    """Take dates and memory addresses out of a member of a .keras file."""
    if member == "metadata.json":
        metadata = json.loads(content)
        metadata["date_saved"] = "1980-01-01@00:00:00"
        return json.dumps(metadata).encode()
    if member == "config.json":
        return json.dumps(_renumbered(json.loads(content), {})).encode()
    return content


def _renumbered(value: Any, seen: dict[int, int]) -> Any:
    # Keras takes shared_object_id from id(); any number will do that is the same for the same object.
    if isinstance(value, dict):
        return {
            key: seen.setdefault(item, len(seen) + 1)
            if key == "shared_object_id" and item is not None
            else _renumbered(item, seen)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_renumbered(item, seen) for item in value]
    return value
