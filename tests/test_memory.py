"""Nets that need more memory than is available are refused before anything of their size is allocated."""

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import psutil
import pytest

from stages.check_models.__main__ import main as check_models_main
from stages.normalise_and_split.__main__ import main as split_main
from stages.shared.errors import UserError
from stages.shared.files import datasets
from stages.shared.models.build_net import build, make_optimizer
from stages.shared.models.memory_estimate import build_within_memory, least_memory
from stages.shared.params import nets_section
from stages.shared.params.nets_section import Net
from stages.shared.params.settings import check_section
from stages.shared.params.yaml_file import read
from stages.train_nets.__main__ import main as train_nets_main
from stages.train_nets.training import train
from tests.fixtures.small_project import PARAMS, ROOT
from tests.fixtures.synthetic import digits

NETS = check_section("nets", nets_section.Nets, read(PARAMS)).root
GB = 10**9

FLATTEN: dict[str, Any] = {"class": "Flatten"}
OUTPUT: dict[str, Any] = {"class": "Dense", "units": "classes", "activation": "softmax"}


@pytest.fixture
def available(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set the memory that psutil reports as available, in bytes."""

    def set_available(size: float) -> None:
        monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=size))
        monkeypatch.setattr(psutil, "swap_memory", lambda: SimpleNamespace(free=0))

    return set_available


def net(*layers: dict[str, Any], **settings: Any) -> Net:
    """Declare a net of these layers, which are named a, b, c, and an output."""
    named = dict(zip("abcdefgh", layers, strict=False))
    return Net.model_validate({"layers": {**named, "output": OUTPUT}, "epochs": 2, "batch_size": 32, **settings})


def dense(units: int) -> dict[str, Any]:
    return {"class": "Dense", "units": units, "activation": "relu"}


def convolution(filters: int) -> dict[str, Any]:
    return {"class": "Conv2D", "filters": filters, "kernel_size": 3, "padding": "same", "activation": "relu"}


def built(declared: Net, rows: int = 50_400) -> keras.Model:
    return build_within_memory("wide", declared, rows=rows, height=28, width=28, classes=10)


def refused(declared: Net) -> str:
    with pytest.raises(UserError) as caught:
        built(declared)
    assert str(caught.value).startswith("params.yaml: nets.wide") and "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("optimizer", "slots"),
    [({"class": "Adam"}, 2), ({"class": "SGD"}, 0), ({"class": "SGD", "momentum": 0.9}, 1), ({"class": "RMSprop"}, 1)],
)
def test_the_estimate_is_weights_optimiser_slots_and_the_largest_output(
    available: Callable[[float], None], optimizer: dict[str, Any], slots: int
) -> None:
    declared = net(convolution(8), FLATTEN, dense(10), optimizer=optimizer, batch_size=100)
    parameters = (9 + 1) * 8 + (28 * 28 * 8 + 1) * 10 + (10 + 1) * 10
    needed = 4 * parameters * (1 + slots) + 100 * 28 * 28 * 8 * 4
    available(needed - 1)
    assert f"{needed / GB:,.1f} GB" in refused(declared)
    available(needed)
    assert built(declared).count_params() == parameters
    # A batch is not larger than the training set.
    available(4 * parameters * (1 + slots) + 10 * 28 * 28 * 8 * 4)
    built(declared, rows=10)


def test_outputs_in_mixed_precision_are_half_as_large(available: Callable[[float], None]) -> None:
    declared = net({"class": "UpSampling2D", "size": 10}, {"class": "GlobalMaxPooling2D"}, precision="mixed_bfloat16")
    # The input is float32; 20 weights are small against the enlarged images.
    available(32 * 280 * 280 * 2 + 1000)
    built(declared)
    available(32 * 280 * 280 * 2 - 1000)
    refused(declared)


@pytest.mark.parametrize(
    ("layers", "settings", "remedy"),
    [
        ([FLATTEN, dense(10**9)], {}, "make its layers smaller"),
        ([convolution(10**9), FLATTEN], {}, "make its layers smaller"),
        ([{"class": "Reshape", "target_shape": [28, 28]}, {"class": "LSTM", "units": 10**6}], {}, "layers smaller"),
        ([convolution(64), convolution(64), FLATTEN], {"batch_size": 10**6}, "lower batch_size"),
        ([{"class": "UpSampling2D", "size": 10**3}, {"class": "GlobalAveragePooling2D"}], {}, "lower batch_size"),
        ([{"class": "UpSampling2D", "size": 10**5}, {"class": "GlobalAveragePooling2D"}], {}, "layers smaller"),
    ],
)
def test_far_too_large_nets_are_refused_without_allocating_them(
    available: Callable[[float], None], layers: list[dict[str, Any]], settings: dict[str, Any], remedy: str
) -> None:
    rss = psutil.Process().memory_info().rss
    available(5 * GB)
    message = refused(net(*layers, **settings))
    assert psutil.Process().memory_info().rss - rss < GB / 10
    assert "5.0 GB" in message and remedy in message


def test_a_refused_net_is_forgotten(available: Callable[[float], None]) -> None:
    available(GB)
    refused(net(FLATTEN, dense(10**9)))
    with pytest.raises(UserError):  # the second layer cannot be built, the first is too large
        built(net(FLATTEN, dense(10**9), {"class": "Conv2D", "filters": 1, "kernel_size": 3}))
    # Building the next net would give all pending weights their values.
    assert built(NETS["softmax"]).count_params() == 7_850


def test_an_initialiser_that_does_not_fit_its_weights_is_named_and_forgotten() -> None:
    message = refused(net(FLATTEN, dense(4) | {"kernel_initializer": "stft"}))
    assert message.startswith("params.yaml: nets.wide.layers.b.kernel_initializer: ") and "(784, 4)" in message
    assert built(NETS["softmax"]).count_params() == 7_850


@pytest.mark.parametrize("name", NETS)
def test_a_default_net_needs_little_and_has_the_weights_that_build_gives_it(
    available: Callable[[float], None], name: str
) -> None:
    available(GB / 2)
    keras.utils.set_random_seed(3)
    weights = built(NETS[name]).get_weights()
    keras.utils.set_random_seed(3)
    for ours, expected in zip(weights, build(name, NETS[name], 28, 28, 10).get_weights(), strict=True):
        np.testing.assert_array_equal(ours, expected)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wide", "many filters", "enlarged"])
def test_training_takes_at_least_the_estimate(kind: str) -> None:
    completed = subprocess.run(
        [sys.executable, "-c", f"import test_memory; test_memory.measure({kind!r})"],
        cwd=ROOT / "tests",
        env={"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    estimated, taken = json.loads(completed.stdout.splitlines()[-1])
    assert 0.1 * taken < estimated < taken


def measure(kind: str) -> None:
    """Train a net; print the estimate, and by how many bytes the process grew."""
    declared = {
        "wide": net(FLATTEN, dense(40_000)),
        "many filters": net(convolution(16), convolution(16), FLATTEN, batch_size=2000),
        "enlarged": net({"class": "UpSampling2D", "size": 8}, {"class": "GlobalAveragePooling2D"}, batch_size=1000),
    }[kind]
    rows = max(declared.batch_size, 64)
    images, labels = np.zeros((rows, 28, 28), np.float32), np.arange(rows) % 10
    # Not the system's own peak, which includes what the process had before it became this program.
    held = [psutil.Process().memory_info().rss]

    def watch() -> None:
        while True:
            held.append(psutil.Process().memory_info().rss)
            time.sleep(0.002)

    threading.Thread(target=watch, daemon=True).start()
    model = built(declared, rows)
    optimizer = make_optimizer(declared.optimizer, 2, ("nets", "wide", "optimizer"))
    train(model, optimizer, images, labels, None, epochs=2, batch_size=declared.batch_size, patience=None, name="x")
    estimated = sum(least_memory(model, keras.optimizers.Adam(), declared.batch_size))
    print(json.dumps([estimated, max(held) - held[0]]))


# The stages


@pytest.fixture
def divided(workspace: Path, edited_params: Any) -> Path:
    edited_params(
        ("units: 48", "units: 1000000000"),
        ("units: 128", "units: 2000000000"),
    )
    images, labels = digits(200)
    datasets.save_raw(datasets.Raw(images, labels.astype(np.uint8), None))
    split_main()
    return workspace


def test_check_models_names_every_net_that_is_too_large(divided: Path) -> None:
    with pytest.raises(UserError) as caught:
        check_models_main()
    first, second = str(caught.value).splitlines()
    # 412 weights per unit for 20 x 20 images and 10 classes, two optimiser slots each, 4 bytes.
    assert re.match(r"params\.yaml, line \d+: nets\.mlp-48: .*\b9,[0-9]{3}\.[0-9] GB", first)
    assert re.match(r"params\.yaml, line \d+: nets\.mlp-128-64: ", second)
    assert not Path("data/checks/models.txt").exists()


def test_train_nets_checks_the_memory_too(divided: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tensorflow.config.threading.set_intra_op_parallelism_threads", lambda threads: None)
    monkeypatch.setattr(sys, "argv", ["train_nets", "mlp-48"])
    with pytest.raises(UserError, match=r"^params\.yaml: nets\.mlp-48: .* GB"):
        train_nets_main()
    assert not Path("models").exists()
