"""Nets too large for the memory at hand: refused before anything of their size is made, and no others."""

import json
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import psutil
import pytest
from conftest import ROOT

from stages.check_models.__main__ import main as check_models_main
from stages.normalise_and_split.__main__ import main as split_main
from stages.shared.errors import UserError
from stages.shared.files import datasets
from stages.shared.models import memory_estimate
from stages.shared.models.build_net import build, make_optimizer
from stages.shared.models.memory_estimate import available_memory, check_memory, least_need
from stages.shared.params import nets_section
from stages.shared.params.nets_section import Net
from stages.shared.params.settings import check_section
from stages.shared.params.yaml_file import read
from stages.train_nets.__main__ import main as train_nets_main
from stages.train_nets.training import train
from tests.fixtures.synthetic import digits

NETS = check_section("nets", nets_section.Nets, read(ROOT / "params.yaml")).root
MNIST: dict[str, int] = {"rows": 50_400, "height": 28, "width": 28, "classes": 10}
GB = 10**9

FLATTEN: dict[str, Any] = {"class": "Flatten"}
OUTPUT: dict[str, Any] = {"class": "Dense", "units": "classes", "activation": "softmax"}


def net(*layers: dict[str, Any], **settings: Any) -> Net:
    """Declare a net of these layers, which are named a, b, c, and an output."""
    named = dict(zip("abcdefgh", layers, strict=False))
    return Net.model_validate({"layers": {**named, "output": OUTPUT}, "epochs": 2, "batch_size": 32, **settings})


def dense(units: int) -> dict[str, Any]:
    return {"class": "Dense", "units": units, "activation": "relu"}


def convolution(filters: int) -> dict[str, Any]:
    return {"class": "Conv2D", "filters": filters, "kernel_size": 3, "padding": "same", "activation": "relu"}


def refused(declared: Net, available: int = 20 * GB) -> str:
    with pytest.raises(UserError) as caught:
        check_memory("wide", declared, **MNIST, available=available)
    return str(caught.value)


def test_a_net_with_too_many_weights_is_refused_with_the_estimate_and_the_layer() -> None:
    # 7,940,000,010 weights of 4 bytes, as many again twice in Adam, and a copy at the end of each epoch.
    weights, rows, batch = 785 * 10**7 + 10**8 + 10, 50_400 * 784 * 4, 32 * (784 + 10**7) * 4
    total = 16 * weights + rows + batch
    assert refused(net(FLATTEN, dense(10**7))) == (
        f"params.yaml: nets.wide: training takes at least {total / GB:,.1f} GB of memory (its weights and what their "
        f"optimiser keeps {16 * weights / GB:,.1f} GB, a batch of 32 images {batch / GB:,.1f} GB, the 50,400 training "
        f"images 0.2 GB), and 20.0 GB are available; make layer 'b' smaller, or free memory"
    )


@pytest.mark.parametrize(
    ("layers", "settings", "remedy"),
    [
        ([FLATTEN, dense(10**12)], {}, "make layer 'b' smaller"),
        ([FLATTEN, dense(10**30)], {}, "make layer 'b' smaller"),
        ([convolution(10**9), FLATTEN], {}, "make layer 'output' smaller"),
        ([{"class": "Reshape", "target_shape": [28, 28]}, {"class": "LSTM", "units": 10**6}], {}, "make layer 'b'"),
        ([convolution(64), convolution(64), FLATTEN], {"batch_size": 10**6}, "lower batch_size"),
        ([{"class": "UpSampling2D", "size": 10**5}, {"class": "GlobalAveragePooling2D"}], {}, "lower batch_size"),
        (
            [{"class": "UpSampling2D", "size": 10**6}, {"class": "GlobalAveragePooling2D"}],
            {"batch_size": 1},
            "make its layers smaller",
        ),
    ],
)
def test_the_absurd_is_refused_in_no_time_and_space(
    layers: list[dict[str, Any]], settings: dict[str, Any], remedy: str
) -> None:
    before = psutil.Process().memory_info().rss
    said = refused(net(*layers, **settings))
    assert psutil.Process().memory_info().rss - before < GB / 10
    assert said.startswith("params.yaml: nets.wide: training takes at least ") and "\n" not in said
    assert f"; {remedy}" in said


def test_more_images_than_memory_are_refused() -> None:
    with pytest.raises(UserError, match=r"lower split\.rows, or free memory"):
        check_memory("small", NETS["softmax"], rows=10**7, height=28, width=28, classes=10, available=GB)


def test_what_keras_remembers_of_a_refused_net_is_forgotten() -> None:
    refused(net(FLATTEN, dense(10**12)))
    with keras.StatelessScope():  # when it is left, all variables without a value get one
        pass
    assert build("after", NETS["softmax"], 28, 28, 10).count_params() == 7_850


@pytest.mark.parametrize(
    ("optimizer", "kept"), [("Adam", 2), ("SGD", 0), ({"class": "SGD", "momentum": 0.9}, 1), ("RMSprop", 1)]
)
def test_what_the_optimiser_keeps_is_counted(optimizer: Any, kept: int) -> None:
    declared = net(FLATTEN, optimizer=optimizer if isinstance(optimizer, dict) else {"class": optimizer})
    # The weights, the optimiser's numbers, and a copy.
    assert least_need("x", declared, **MNIST).weights == 4 * 7_850 * (1 + kept + 1)
    assert least_need("x", declared.model_copy(update={"early_stopping": 1}), **MNIST).weights == 4 * 7_850 * (3 + kept)


def test_a_batch_is_what_goes_into_weights_and_no_larger_than_the_data() -> None:
    declared = net(convolution(8), convolution(4), {"class": "MaxPooling2D"}, FLATTEN, batch_size=1000)
    # The image, 8 filters of 28 x 28, 4 filters of 14 x 14 to the output; what only passes through is not kept.
    assert least_need("x", declared, **MNIST).batch == 1000 * 4 * (784 + 8 * 784 + 4 * 196)
    assert least_need("x", declared, **{**MNIST, "rows": 10}).batch == 10 * 4 * (784 + 8 * 784 + 4 * 196)


def test_a_fourier_layer_keeps_the_spectrum_of_what_comes_in() -> None:
    fourier = {"class": "Conv2D", "filters": 4, "kernel_size": 9, "method": "fourier"}
    declared = net(convolution(8), fourier, FLATTEN, batch_size=100)
    # 15 frequencies of 28 rows, each a real and an imaginary part, of 8 channels.
    assert least_need("x", declared, **MNIST).batch == 100 * 4 * (784 + 2 * 15 * 28 * 8 + 20 * 20 * 4)
    # Of 64 filters the product of the spectra alone is larger than all that is kept.
    large = net({**fourier, "filters": 64}, {"class": "GlobalMaxPooling2D"}, batch_size=100)
    assert least_need("x", large, **MNIST).batch == 100 * 4 * 2 * 15 * 28 * 64


@pytest.mark.parametrize(
    ("layer", "states"),
    [
        ({"class": "LSTM", "units": 100}, 2 * 100),
        ({"class": "GRU", "units": 100}, 100),
        ({"class": "SimpleRNN", "units": 100}, 100),
        ({"class": "Bidirectional", "layer": {"class": "LSTM", "units": 100}}, 4 * 100),
        ({"class": "RNN", "cell": {"class": "LSTMCell", "units": 100}}, 2 * 100),
    ],
)
def test_a_recurrent_layer_keeps_its_states_at_every_place(layer: dict[str, Any], states: int) -> None:
    rows = {"class": "Reshape", "target_shape": [28, 28]}
    output = 200 if layer["class"] == "Bidirectional" else 100
    need = least_need("x", net(rows, layer, batch_size=100), **MNIST)
    assert need.batch == 100 * 4 * (784 + 28 * states + output)


@pytest.mark.parametrize("name", NETS)
def test_a_default_net_is_estimated_below_what_it_was_measured_to_take(name: str) -> None:
    measured = json.loads((ROOT / f"reports/timings/train-nets@{name}.json").read_text())["peak_memory_mb"]
    assert least_need(name, NETS[name], **MNIST).total < (measured - 500) * 1e6  # without TensorFlow
    check_memory(name, NETS[name], **MNIST, available=GB // 2)


def test_a_net_that_cannot_be_built_is_left_to_those_who_say_why() -> None:
    check_memory("wrong", net({"class": "Dense", "units": -1}), **MNIST, available=0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wide", "many filters", "enlarged"])
def test_training_takes_no_less_than_estimated(kind: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import test_memory; test_memory.measure({kind!r})"],
        cwd=ROOT / "tests",
        env={"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    estimated, taken = json.loads(done.stdout.splitlines()[-1])
    assert 0.2 * taken < estimated < taken


def measure(kind: str) -> None:
    """Train a net and print the estimate, and by how many bytes the process grew."""
    declared = {
        "wide": net(FLATTEN, dense(40_000)),
        "many filters": net(convolution(16), convolution(16), FLATTEN, batch_size=2000),
        "enlarged": net({"class": "UpSampling2D", "size": 8}, {"class": "GlobalAveragePooling2D"}, batch_size=1000),
    }[kind]
    rows = max(declared.batch_size, 64)
    images, labels = np.zeros((rows, 28, 28), np.float32), np.arange(rows) % 10
    estimated = least_need("x", declared, rows=rows, height=28, width=28, classes=10).total
    # Not the system's own peak: that counts what the process had before it became this program.
    held = [psutil.Process().memory_info().rss]

    def look() -> None:
        while True:
            held.append(psutil.Process().memory_info().rss)
            time.sleep(0.002)

    threading.Thread(target=look, daemon=True).start()
    model = build("x", declared, 28, 28, 10)
    optimizer = make_optimizer(declared.optimizer, 2, "here")
    train(model, optimizer, images, labels, None, epochs=2, batch_size=declared.batch_size, patience=None, name="x")
    print(json.dumps([estimated, max(held) - held[0]]))


# What is available


@pytest.mark.parametrize(
    ("groups", "files", "left"),
    [
        # Version 2: two gigabytes, of which one is used, half of it for files.
        ("0::/a/b", {"a/b": ("2000000000", "1000000000", "anon 500000000\nfile 500000000")}, [1_500_000_000]),
        ("0::/a/b", {"a/b": ("max", "1", "file 0"), "a": ("5", "3", "file 0")}, [2]),
        # In a container its own group is the root.
        ("0::/../x", {"": ("7", "9", "file 1")}, [0]),
        ("4:cpu,memory:/a", {"memory/a": ("9", "4", "total_cache 1")}, [6]),
        ("4:cpu:/a\n0::/", {}, []),
        (None, {}, []),
    ],
)
def test_a_containers_limit_counts(
    groups: str | None,
    files: dict[str, tuple[str, str, str]],
    left: list[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if groups is not None:
        (tmp_path / "own").write_text(groups + "\n")
    for folder, contents in files.items():
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        first = ("memory.limit_in_bytes", "memory.usage_in_bytes")
        names = first if folder.startswith("memory") else ("memory.max", "memory.current")
        for name, content in zip((*names, "memory.stat"), contents, strict=True):
            (tmp_path / folder / name).write_text(content + "\n")
    monkeypatch.setattr(memory_estimate, "OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(memory_estimate, "CONTROL_GROUPS", tmp_path)
    assert memory_estimate._left_in_control_groups() == left
    swap = psutil.swap_memory().free
    if left:
        assert available_memory() - swap <= left[0]


def test_a_machine_has_some_memory() -> None:
    assert 10**8 < available_memory() <= psutil.virtual_memory().total + psutil.swap_memory().total


# The stages


@pytest.fixture
def divided(workspace: Path, edited_params: Any) -> Path:
    edited_params(
        ("hidden: {class: Dense, units: 48,", "hidden: {class: Dense, units: 1000000000000,"),
        ("units: 128", "units: 2000000000000"),
    )
    images, labels = digits(200)
    datasets.save_raw(datasets.Raw(images, labels.astype(np.uint8), None))
    split_main()
    return workspace


def test_the_check_names_every_net_that_is_too_large(divided: Path) -> None:
    with pytest.raises(UserError) as caught:
        check_models_main()
    first, second = str(caught.value).splitlines()
    assert (
        re.match(r"params\.yaml, line \d+: nets\.mlp-48: training takes at least 16,476,000\.0 GB", first)
        and "layer 'hidden'" in first
    )
    assert re.match(r"params\.yaml, line \d+: nets\.mlp-128-64: training takes at least ", second)
    assert not Path("data/checks/models.txt").exists()


def test_a_stage_that_trains_looks_once_more(divided: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tensorflow.config.threading.set_intra_op_parallelism_threads", lambda threads: None)
    monkeypatch.setattr(sys, "argv", ["train_nets", "mlp-48"])
    with pytest.raises(UserError, match=r"^params\.yaml: nets\.mlp-48: training takes at least 16,476,000\.0 GB"):
        train_nets_main()
    assert not Path("models").exists()
