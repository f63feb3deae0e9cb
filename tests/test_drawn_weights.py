"""Which weights are drawn: those of linear classifiers, and those of nets whose inputs are pixels or classes."""

import keras
import numpy as np
import pytest
from matplotlib import pyplot
from sklearn.base import ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC, LinearSVC

from stages.plot_weights.pictures import drawn_weights
from stages.shared.models.drawable_weights import linear_weights, net_weights
from stages.shared.params.pictures_section import MAPS_AT_MOST, WeightMap
from tests.fixtures.synthetic import digits, pixels

NAMES = ["zero", "one", "two"]


def fitted(model: ClassifierMixin, classes: int) -> ClassifierMixin:
    images, labels = digits(60, size=6, classes=classes)
    return model.fit(pixels(images).reshape(60, -1), labels)


@pytest.mark.parametrize("model", [LinearSVC(), LogisticRegression()])
def test_a_linear_classifier_has_one_map_per_class(model: ClassifierMixin) -> None:
    three = linear_weights(fitted(model, 3), 6, 6, NAMES)["coefficients"]
    assert three.maps is not None and three.maps.shape == (3, 6, 6)
    np.testing.assert_array_equal(three.maps.reshape(3, -1), model.coef_)
    assert three.per_class
    two = linear_weights(fitted(model, 2), 6, 6, NAMES[:2])["coefficients"]
    assert two.maps is not None and len(two.maps) == 1 and not two.per_class


def test_one_vs_one_coefficients_are_not_drawn() -> None:
    # Three classes have three pairs.
    assert linear_weights(fitted(SVC(kernel="linear"), 3), 6, 6, NAMES) == {}
    assert linear_weights(fitted(SVC(kernel="linear"), 2), 6, 6, NAMES[:2])["coefficients"].maps is not None
    assert linear_weights(fitted(KNeighborsClassifier(), 3), 6, 6, NAMES) == {}


@pytest.mark.parametrize("units", [20, 200])
def test_a_grid_has_the_rows_that_the_drawn_maps_need(units: int) -> None:
    drawn = min(units, MAPS_AT_MOST)
    assert WeightMap(columns=8).grid(units) == (-(-drawn // 8), 8)
    assert WeightMap(columns=8, rows=30).grid(units) == (30, 8)
    assert WeightMap().grid(units) is None
    image = keras.Input((6, 6, 1))
    hidden = keras.layers.Dense(units, name="hidden")(keras.layers.Flatten()(image))
    net = keras.Model(image, keras.layers.Dense(3, name="output")(hidden))
    figures = drawn_weights("net", net_weights(net, 6, 6), {"hidden": WeightMap(columns=8)}, NAMES)
    sizes = {layer: figure.get_size_inches() for layer, figure in figures.items()}
    assert set(sizes) == ({"hidden", "output"} if units <= MAPS_AT_MOST else {"hidden"})
    pyplot.close("all")
