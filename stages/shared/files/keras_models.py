"""Trained nets as .keras files that plain Keras loads, with the same bytes in every process."""

import inspect
import io
import json
import math
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import keras
import psutil
import tensorflow as tf

from stages.shared.errors import UserError
from stages.shared.files.paths import NETS
from stages.shared.files.whole_files import reading, replacing
from stages.shared.files.zip_archives import (
    check_archive,
    made_by_another_version,
    read_archive,
    renumbered,
    write_archive,
)

# A net consists of objects of these classes. Keras's safe mode would also call functions of Keras that a file names,
# some of which download files or write to the disk.
PARTS = (
    *(keras.Layer, keras.initializers.Initializer, keras.regularizers.Regularizer, keras.constraints.Constraint),
    *(keras.DTypePolicy, keras.random.SeedGenerator, keras.Quantizer),
)
# Class names of plain values, which have no module.
VALUES = ("__keras_tensor__", "__tensor__", "__numpy__", "__tuple__", "__slice__", "__ellipsis__")
# Layers that contain or load code.
FOREIGN = ("Lambda", "TFSMLayer", "JaxLayer", "FlaxLayer", "TorchModuleWrapper")
# Of whole numbers in the settings of a layer: some layers allocate memory or loop by them without having weights.
LARGEST_SETTING = 1_000_000
# Settings that Keras got after 3.5, with their defaults. An older version refuses a file that has them.
NEW_SETTINGS: dict[str, Any] = {
    **dict.fromkeys(("input_axes", "output_axes", "quantization_config", "renorm_clipping", "sliding_window")),
    **{"antialias": False, "renorm": False, "renorm_momentum": 0.99, "use_gate": False},
}


def save_net(name: str, model: keras.Model) -> None:
    """Write a net without the state of its optimizer, which predicting does not need.

    Parameters
    ----------
    name : str
        Name of the net in params.yaml.
    model : keras.Model
        A functional model with one input and one output.
    """
    with replacing(NETS.path(name)) as temporary:
        write_net(temporary, name, model)


def write_net(path: Path, name: str, model: keras.Model) -> None:
    """Write a net as `save_net` does, to any path that ends in .keras."""
    # A second model of the same layers that was never compiled has no optimizer.
    bare = keras.Model(model.inputs[0], model.outputs[0], name=name)
    bare.save(path)
    write_archive(path, [(member, _fixed(member, content)) for member, content in read_archive(path)])


def load_net(name: str) -> keras.Model:
    """Read a net of the pipeline, as `load_net_file` does.

    Raises
    ------
    UserError
        As in `load_net_file`, or the file has a net with another name.
    """
    path = NETS.path(name)
    model = load_net_file(path)
    if model.name != name:
        raise UserError(f"{path} holds the net '{model.name}'; 'make verify' shows how to restore it")
    return model


def load_net_file(path: Path) -> keras.Model:
    """Read a .keras file without running code from it.

    Raises
    ------
    UserError
        The file is missing, damaged, a zip bomb, saved by another version of Keras, not a net of Keras's layers, or
        takes more memory than it has weights for, or than is available for one image.
    """
    with reading(path, remedy=""):
        check_archive(path)
        if mismatch := made_by_another_version(path):
            raise UserError(f"{path} {mismatch}; train the net again, or install that version")
        with zipfile.ZipFile(path) as archive:
            config, weights = json.loads(archive.read("config.json")), archive.read("model.weights.h5")
        _check_parts(config)
        _check_size(config, weights)
        return keras.saving.load_model(path, compile=False, safe_mode=True)


@contextmanager
def allocated_after(build: Callable[[], keras.Model]) -> Iterator[keras.Model]:
    """Build a net whose weights get their values only at the end of the block, unless it raises an exception."""
    try:
        with keras.StatelessScope(initialize_variables=False):  # the weights have shapes, but no values yet
            model = build()
        yield model
        with keras.StatelessScope():  # leaving it gives the weights their values
            pass
    except Exception:
        keras.utils.clear_session(free_memory=False)  # else Keras would still give these weights their values
        raise


def largest_output(model: keras.Model) -> int:
    """Return the size of the largest output of a layer for one image, in bytes."""
    nodes = [node for layer in model._flatten_layers() for node in layer._inbound_nodes]
    tensors = [tensor for node in nodes for tensor in node.output_tensors]
    return max(math.prod(side or 1 for side in tensor.shape[1:]) * tf.as_dtype(tensor.dtype).size for tensor in tensors)


def _check_size(config: dict[str, Any], weights: bytes) -> None:
    """Raise ValueError if a net takes more memory than its file accounts for; nothing of that size is allocated."""
    with h5py.File(io.BytesIO(weights)) as file:
        sizes: list[int] = []
        file.visititems(lambda _, item: sizes.append(item.nbytes) if isinstance(item, h5py.Dataset) else None)
    if sum(sizes) > len(weights):
        raise ValueError(f"its weights would unpack to {sum(sizes) / 1e9:,.1f} GB")
    uncompiled = {**config, "compile_config": None}
    with allocated_after(lambda: keras.saving.deserialize_keras_object(uncompiled, safe_mode=True)) as model:
        if model.count_params() > len(weights):
            raise ValueError(f"it declares {model.count_params():,} weights, and holds {len(weights):,} bytes of them")
        needed, available = largest_output(model), psutil.virtual_memory().available
        if needed > available:
            text = f"a layer's output for one image takes {needed / 1e9:,.1f} GB of memory"
            raise ValueError(f"{text}, and {available / 1e9:,.1f} GB are available")


def _check_parts(config: Any) -> None:
    """Raise ValueError if a configuration names anything but Keras's layers and their parts."""
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
        cls = getattr(sys.modules.get(module), name, None) if module.split(".")[0] == "keras" else None
        if name in FOREIGN or not inspect.isclass(cls) or not issubclass(cls, PARTS):
            raise ValueError(f"{module}.{name} is not a part of a net that can be loaded safely")
        settings = part["config"] if isinstance(part.get("config"), dict) else {}
        for key, value in settings.items():
            numbers = [number for number in (value if isinstance(value, list) else [value]) if isinstance(number, int)]
            if key != "seed" and max(numbers, default=0) > LARGEST_SETTING:
                text = f"{settings.get('name', name)} has {key} {max(numbers):,}"
                raise ValueError(f"{text}; at most {LARGEST_SETTING:,} is supported")


def _fixed(member: str, content: bytes) -> bytes:
    """Remove the date, memory addresses, and what older versions of Keras refuse, from a member of a .keras file."""
    if member == "metadata.json":
        return json.dumps(json.loads(content) | {"date_saved": "1980-01-01@00:00:00"}).encode()
    if member == "config.json":
        config = json.dumps(json.loads(content, object_hook=_without_new_defaults))
        # Keras takes the id of a shared object from id().
        return renumbered(config, r'("shared_object_id": )(\d+)').encode()
    return content


def _without_new_defaults(settings: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key not in NEW_SETTINGS or value != NEW_SETTINGS[key]}
