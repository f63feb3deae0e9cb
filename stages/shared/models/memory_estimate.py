"""Whether there is the memory to train a net: what it takes at least, against what there is."""

import math
from pathlib import Path
from typing import Any, NamedTuple

import keras
import psutil
import tensorflow as tf

from stages.shared.models.build_net import build, make_optimizer
from stages.shared.models.fourier_conv2d import FourierConv2D
from stages.shared.params.mistakes import DeclarationError, declaration_error
from stages.shared.params.nets_section import Net

GB = 1e9
FLOAT32 = 4  # bytes of a weight, a slot of an optimiser, a pixel; weights are float32 in mixed precision too
SAME_MEMORY = (keras.layers.Flatten, keras.layers.Reshape)  # what they give are the numbers that they take

# Of Linux: the limits, and to which groups this process belongs.
CONTROL_GROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")


class Need(NamedTuple):
    """The least memory that a training takes, in bytes, beside TensorFlow itself.

    Attributes
    ----------
    weights : int
        The weights, what the optimiser keeps for each, and their largest gradient or a copy of them all.
    batch : int
        What a step has to keep of one batch.
    rows : int
        The training images.
    largest : str
        The layer with the most weights; empty if there are none.
    """

    weights: int
    batch: int
    rows: int
    largest: str

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.batch + self.rows


def check_memory(
    name: str, net: Net, *, rows: int, height: int, width: int, classes: int, available: int | None = None
) -> None:
    """Refuse a net that cannot be trained in the memory that is available; nothing of its size is allocated.

    Parameters
    ----------
    name : str
        The net's name in params.yaml.
    net : Net
        The declaration; one that cannot be built is left to `build` to refuse.
    rows : int
        Number of training images.
    height, width : int
        Their size in pixels.
    classes : int
        Number of classes.
    available : int or None
        Bytes; None asks the system.

    Raises
    ------
    DeclarationError
        Even the least that it can take is more than there is.
    """
    try:
        need = least_need(name, net, rows=rows, height=height, width=width, classes=classes)
    except DeclarationError:
        return
    there = available_memory() if available is None else available
    if need.total <= there:
        return
    batch = min(net.batch_size, rows)
    parts = [
        (need.weights, "its weights and what their optimiser keeps", f"make layer '{need.largest}' smaller"),
        (need.batch, f"a batch of {batch:,} images", "lower batch_size" if batch > 1 else "make its layers smaller"),
        (need.rows, f"the {rows:,} training images", "lower split.rows"),
    ]
    _, _, remedy = max(parts)
    raise declaration_error(
        ("nets", name),
        f"training takes at least {_gb(need.total)} of memory "
        f"({', '.join(f'{what} {_gb(size)}' for size, what, _ in parts)}), and {_gb(there)} are available; "
        f"{remedy}, or free memory",
    )


def least_need(name: str, net: Net, *, rows: int, height: int, width: int, classes: int) -> Need:
    """Estimate from below what training a net takes; arguments as of `check_memory`.

    Raises
    ------
    DeclarationError
        As in `build` and `make_optimizer`.
    """
    try:
        slots = _slots(make_optimizer(net.optimizer, net.epochs, ("nets", name, "optimizer")))
        with keras.StatelessScope(initialize_variables=False):  # weights have shapes there, and no values
            model = build(name, net, height, width, classes)
        numbers = {layer.name: _numbers(layer.weights) for layer in model.layers}
        weights = sum(numbers.values())
        gradient = max((math.prod(weight.shape) for weight in model.trainable_weights), default=0)
        # A step has the gradient, the end of an epoch a copy: to look at, and to go back to.
        copies = weights * (2 if net.early_stopping else 1)
        return Need(
            weights=FLOAT32 * (weights + slots * _numbers(model.trainable_weights) + max(gradient, copies)),
            batch=min(net.batch_size, rows) * _kept_of_an_image(model),
            rows=FLOAT32 * rows * height * width,
            largest=max(numbers, key=lambda layer: numbers[layer]) if weights else "",
        )
    finally:
        keras.utils.clear_session(free_memory=False)  # which remembers the variables, to give them values after all


def available_memory() -> int:
    """Return how many bytes this process may still take: of the machine, or of the container it runs in."""
    machine = psutil.virtual_memory().available
    swap = psutil.swap_memory().free
    return min([machine, *_left_in_control_groups()]) + swap


def _slots(optimizer: keras.optimizers.Optimizer) -> int:
    """Count the numbers that an optimiser keeps for each weight, by a small matrix of weights."""
    weights = keras.Variable(keras.ops.zeros((5, 7)))
    optimizer.build([weights])
    return sum(tuple(variable.shape) == tuple(weights.shape) for variable in optimizer.variables)


def _numbers(variables: list[Any]) -> int:
    return sum(math.prod(variable.shape) for variable in variables)


def _kept_of_an_image(model: keras.Model) -> int:
    """Count the bytes that a step keeps for each image: what goes into weights, or the largest of all layers' outputs.

    The gradient of a kernel is computed from what it was multiplied with, so this is kept until then; what other
    layers made need not be.
    """
    made_by = {id(layer.output): layer for layer in model.layers}
    kept: dict[int, int] = {}
    within, largest = 0, 0
    for layer in model.layers:
        size = tf.as_dtype(layer.compute_dtype).size
        largest = max(largest, _image_of(layer.output) * size)
        if not layer.trainable_weights:
            continue
        incoming = layer.input if isinstance(layer.input, list) else [layer.input]
        if isinstance(layer, FourierConv2D):
            taken, given = layer.spectra(incoming[0])
            within += FLOAT32 * taken  # multiplied with the kernel's, in place of the images themselves
            largest = max(largest, FLOAT32 * given)
            continue
        within += size * incoming[0].shape[1] * _states(layer) if _states(layer) else 0
        for tensor in incoming:
            while isinstance(made_by.get(id(tensor)), SAME_MEMORY):
                tensor = made_by[id(tensor)].input
            kept[id(tensor)] = _image_of(tensor) * size
    return max(largest, within + sum(kept.values()))


def _states(layer: keras.layers.Layer) -> int:
    """Count the numbers that a recurrent layer hands on from one place of a sequence to the next; 0 for any other."""
    if isinstance(layer, keras.layers.Bidirectional):
        return _states(layer.forward_layer) + _states(layer.backward_layer)
    if not isinstance(layer, keras.layers.RNN):
        return 0
    sizes = layer.state_size if isinstance(layer.state_size, list | tuple) else [layer.state_size]
    return sum(math.prod(size) if isinstance(size, list | tuple) else size for size in sizes)


def _image_of(tensor: keras.KerasTensor) -> int:
    return math.prod(side or 1 for side in tensor.shape[1:])


def _left_in_control_groups() -> list[int]:
    """Return what the limits of Linux's control groups, those of containers, leave: bytes, one a limit that is set."""
    try:
        groups = [line.split(":", 2) for line in OWN_GROUPS.read_text().splitlines()]
    except OSError:
        return []
    left = []
    for _, controllers, path in groups:
        if not controllers:  # version 2
            root, files = CONTROL_GROUPS, ("memory.max", "memory.current", "file")
        elif "memory" in controllers.split(","):
            root = CONTROL_GROUPS / "memory"
            files = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache")
        else:
            continue
        folder = root / path.lstrip("/")
        # A limit above holds too. In a container its own group is the root, whatever the path says.
        for group in {folder, *folder.parents, root}:
            if group.is_relative_to(root) and (room := _room(group, *files)) is not None:
                left.append(room)
    return left


def _room(group: Path, limit: str, usage: str, cache: str) -> int | None:
    try:
        most, used = int((group / limit).read_text()), int((group / usage).read_text())
        held = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no such file, or no limit: "max"
        return None
    # The cache of files gives way.
    return max(0, most - max(0, used - int(held.get(cache, 0))))


def _gb(number: int) -> str:
    return f"{number / GB:,.1f} GB"
