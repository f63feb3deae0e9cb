"""Training: nets and baselines, from their declaration to predictions."""

import keras
import numpy as np
import pytest
from pipelines import ROOT
from ruamel.yaml import YAML
from synthetic import digits

from stages.building import estimators
from stages.building.nets import build, make_optimizer
from stages.console import UserError
from stages.params import baselines, nets
from stages.params.nets import Net
from stages.train_baselines.fitting import fit
from stages.train_baselines.predicting import predictions
from stages.train_nets.training import best_epoch, probabilities, train

DECLARED = YAML(typ="safe").load((ROOT / "params.yaml").read_text())

SMALL = Net.model_validate(
    {
        "layers": {
            "flatten": {"class": "Flatten"},
            "hidden": {"class": "Dense", "units": 12, "activation": "relu"},
            "output": {"class": "Dense", "units": "classes", "activation": "softmax"},
        },
        "optimizer": {"class": "Adam", "learning_rate": 0.02},
        "epochs": 40,
        "batch_size": 16,
    }
)


def data(n: int, size: int = 8, classes: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    images, labels = digits(n, size, classes, seed)
    return images.astype(np.float32) / np.float32(255), labels


def trained(net: Net, epochs: int, patience: int | None, validation: tuple | None, seed: int = 1, noise: float = 0.0):
    keras.utils.set_random_seed(seed)
    images, labels = data(120)
    images = images + np.random.default_rng(0).normal(0, noise, images.shape).astype(np.float32)
    model = build("small", net, 8, 8, 4)
    history = train(
        model,
        make_optimizer(net.optimizer, "nets.small.optimizer"),
        images,
        labels,
        validation,
        epochs=epochs,
        batch_size=net.batch_size,
        patience=patience,
        name="small",
    )
    return model, history


def test_early_stopping_goes_back_to_the_weights_of_the_lowest_validation_loss() -> None:
    images, _ = data(60, seed=5)
    noise = np.random.default_rng(1)
    # Labels that are half wrong: the net overtrains within a few epochs.
    validation = images, np.where(noise.random(60) < 0.5, noise.integers(0, 4, 60), data(60, seed=5)[1])
    model, history = trained(SMALL, 40, 2, validation)
    best = best_epoch(history, 2)
    assert len(history) == best + 2 < 40, "two epochs without a new lowest end it"
    assert history["val_loss"].idxmin() + 1 == best
    again, _ = trained(SMALL, best, None, validation)
    np.testing.assert_array_equal(probabilities(model, images), probabilities(again, images))


def test_without_validation_all_epochs_are_trained_and_the_last_weights_kept() -> None:
    model, history = trained(SMALL, 3, None, None)
    assert list(history.columns) == ["epoch", "accuracy", "loss"]
    assert history["epoch"].tolist() == [1, 2, 3]
    assert best_epoch(history, None) == 3
    assert probabilities(model, np.empty((0, 8, 8), np.float32)).shape == (0, 4)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    one, same, other = (trained(SMALL, 2, None, None, seed=seed)[0].get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not np.array_equal(one[0], other[0])


def test_a_loss_that_is_no_number_stops_and_names_net_and_epoch() -> None:
    wild = SMALL.model_copy(update={"optimizer": type(SMALL.optimizer)(**{"class": "SGD", "learning_rate": 1e30})})
    with pytest.raises(UserError, match=r"^small: .* epoch 1; try a lower learning rate or another initialisation$"):
        trained(wild, 3, None, None)


@pytest.fixture
def declared_nets(workspace: object) -> dict[str, Net]:
    return nets.load()


@pytest.mark.parametrize("name", DECLARED["nets"])
def test_every_declared_net_trains_and_predicts(declared_nets: dict[str, Net], name: str) -> None:
    net = declared_nets[name]
    images, labels = data(64, 28, 10)
    model = build(name, net, 28, 28, 10)
    optimizer = make_optimizer(net.optimizer, name)
    history = train(model, optimizer, images, labels, (images, labels), epochs=1, batch_size=32, patience=1, name=name)
    assert list(history.columns) == ["epoch", "accuracy", "loss", "val_accuracy", "val_loss"]
    rows = probabilities(model, images)
    assert rows.shape == (64, 10)
    np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("name", DECLARED["baselines"])
def test_every_declared_baseline_fits_and_predicts(workspace: object, name: str) -> None:
    declared = baselines.load()
    images, labels = data(240, 28, 10)
    X = images.reshape(240, -1)
    model = estimators.build(declared[name].class_, declared[name].settings, 42, f"baselines.{name}")
    fitted = fit(model, X[:200], labels[:200], 0, f"baselines.{name}")
    assert type(fitted).__module__.startswith("sklearn."), "what is saved is scikit-learn's own class"
    assert fitted.get_params().get("n_jobs") is None, "the file does not tell how many cores there were"
    found = predictions(fitted, X[200:], 10)
    assert np.mean(found.codes == labels[200:]) > 0.8
    assert found.scores.shape == (40, 10)
    assert found.kind == ("probability" if hasattr(fitted, "predict_proba") else "decision")
