"""Trained nets as .keras files that plain Keras loads, with the same bytes in every process."""

import inspect
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import keras

from stages.shared.errors import UserError
from stages.shared.files.paths import net_file
from stages.shared.files.whole_files import DAMAGE, replacing, require_file
from stages.shared.files.zip_archives import check_archive, made_by_another_version, read_archive, write_archive

# What a net is made of. Keras's safe mode would also call functions of its own that a file names, and these can fetch
# from the network and write to the disk.
PARTS = (
    *(keras.Layer, keras.initializers.Initializer, keras.regularizers.Regularizer, keras.constraints.Constraint),
    *(keras.DTypePolicy, keras.random.SeedGenerator, keras.Quantizer),
)
VALUES = ("__keras_tensor__", "__tensor__", "__numpy__", "__tuple__", "__slice__", "__ellipsis__")  # of no module
FOREIGN = ("Lambda", "TFSMLayer", "JaxLayer", "FlaxLayer", "TorchModuleWrapper")  # hold or load code of their own


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
    """Read models/nets/NAME.keras as `load_net_file` does; refuses another net's file of that name."""
    model = load_net_file(net_file(name))
    if model.name != name:
        raise UserError(f"{net_file(name)} holds the net '{model.name}'; 'make verify' says how to mend it")
    return model


def load_net_file(path: Path) -> keras.Model:
    """Read a .keras file; runs no code that the file brings along.

    Raises
    ------
    UserError
        The file is missing, damaged, a zip bomb, of another version of Keras, or names anything but parts of a net.
    """
    require_file(path)
    try:
        check_archive(path)
        if other := made_by_another_version(path):
            raise UserError(f"{path} {other}; train it again, or install that version")
        with zipfile.ZipFile(path) as archive:
            _check_parts(json.loads(archive.read("config.json")))
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except DAMAGE as error:
        # Keras puts the layer's whole configuration before the reason.
        reason = str(error).split("Exception encountered: ")[-1]
        raise UserError(f"{path} cannot be loaded as a Keras model: {' '.join(reason.split())[:200]}") from error


def _check_parts(config: Any) -> None:
    """Refuse a configuration that names anything but Keras's own layers and what these are made of.

    Raises
    ------
    ValueError
        It does.
    """
    waiting = [config]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting.extend(part)
        if not isinstance(part, dict):
            continue
        waiting.extend(part.values())
        if not {"module", "class_name", "registered_name"} & part.keys() or part.get("class_name") in VALUES:
            continue
        module, name = str(part.get("module")), str(part.get("class_name"))
        found = getattr(sys.modules.get(module), name, None) if module.split(".")[0] == "keras" else None
        if name in FOREIGN or not inspect.isclass(found) or not issubclass(found, PARTS):
            raise ValueError(f"it names {module}.{name}, which is no part of a net that can be loaded safely")


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
