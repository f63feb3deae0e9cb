"""Says which classifiers would take days on a data set of this size."""

import os
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from stages.shared.files.datasets import SETS, load_array
from stages.shared.files.paths import SPLIT
from stages.shared.process.console import say

DAY = 86_400.0  # seconds
NEIGHBOURS = ("KNeighborsClassifier", "RadiusNeighborsClassifier")
KERNEL_MACHINES = ("SVC", "NuSVC")
SAMPLING = "BaggingClassifier"  # fits its classifier to samples, whose size it knows

# Seconds that one core takes per pair of images and per pixel, on an AMD EPYC. Only their order of magnitude matters.
MANHATTAN = 1.2e-11  # stages/train_baselines/neighbours.py; reports/benchmark.md: 3.6 s for 56,000 by 14,000 on 2 cores
MATRIX_PRODUCTS = 3e-11  # Euclidean and cosine distances: 2.6 times as much, measured side by side
OTHER_DISTANCES = 5e-10  # scikit-learn's loops; reports/benchmark.md: the notebook's knn, 143 s
# svc-rbf: fitted to 56,000 images in 25 s (reports/benchmark.md), "at least quadratic" (scikit-learn's page of SVC).
KERNEL = 2e-11


def long_runs(
    baselines: Mapping[str, Mapping[str, Any]], *, rows: int, queries: int, pixels: int, cores: int
) -> Iterator[str]:
    """Say of each classifier that would take more than about a day how long it would take.

    Parameters
    ----------
    baselines : mapping of str to mapping
        Name -> declaration in params.yaml.
    rows : int
        Number of training images.
    queries : int
        Number of images to predict.
    pixels : int
        Number of pixels of an image.
    cores : int
        Number of processor cores.

    Yields
    ------
    str
        A sentence.
    """
    for name, declared in baselines.items():
        for cls, settings in _classifiers(declared):
            seconds = core_seconds(cls, settings, rows, queries, pixels) / cores
            if seconds > DAY:
                yield (
                    f"{name}: note: {cls} would take about {_rounded(seconds / DAY)} on {cores} "
                    f"core{'s' if cores > 1 else ''}, with {rows:,} training images and {queries:,} to predict; lower "
                    "split.rows, or take a linear classifier or a net"
                )
                break


def core_seconds(cls: str, settings: Mapping[str, Any], rows: int, queries: int, pixels: int) -> float:
    """Estimate the time that a classifier takes to fit and predict.

    A search for neighbours compares every image to predict with every training image. So does a kernel machine, whose
    support vectors are a share of the training images; fitting it compares about every two training images.

    Parameters
    ----------
    cls : str
        Class of scikit-learn.
    settings : mapping
        Its arguments.
    rows, queries, pixels : int
        As of `long_runs`.

    Returns
    -------
    float
        Seconds on one core, of which the order of magnitude is right; 0 for classes that compare no pairs of images.
    """
    if cls in KERNEL_MACHINES:
        return KERNEL * rows * (rows + queries) * pixels if settings.get("max_iter", -1) == -1 else 0.0
    if cls not in NEIGHBOURS:
        return 0.0
    metric = settings.get("metric", "minkowski")
    if metric == "minkowski":
        metric = {1: "manhattan", 2: "euclidean"}.get(settings.get("p", 2), metric)
    if metric in ("manhattan", "cityblock", "l1") and cls == NEIGHBOURS[0]:
        return MANHATTAN * rows * queries * pixels
    products = metric in ("euclidean", "l2", "sqeuclidean", "cosine")
    return (MATRIX_PRODUCTS if products else OTHER_DISTANCES) * rows * queries * pixels


def _classifiers(declared: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Return a declared classifier and those in its settings, such as of a CalibratedClassifierCV."""
    if isinstance(declared, Mapping) and "class" in declared:
        yield declared["class"], declared
        if declared["class"] == SAMPLING:
            return
        declared = [*declared.values()]
    if isinstance(declared, list):
        for item in declared:
            yield from _classifiers(item)


def _rounded(days: float) -> str:
    number, unit = (days, "day") if days < 730 else (days / 365, "year")
    rounded = float(f"{number:.1g}")
    return f"{rounded:,.0f} {unit}{'s' if rounded > 1 else ''}"


def say_long_runs(params: Mapping[str, Any], names: Collection[str]) -> None:
    """Print a line for each of some declared models that would take days.

    Parameters
    ----------
    params : mapping
        The content of params.yaml, as `yaml_file.plain` returns it.
    names : collection of str
        Names of models.
    """
    # Only their sizes, which change no output: the images are no dependencies.
    shapes = {name: load_array(SPLIT.path(f"{name}/images"), mapped=True).shape for name in SETS}
    rows, height, width = shapes["train"]
    training = params["training"]
    for line in long_runs(
        {name: declared for name, declared in params["baselines"].items() if name in names},
        rows=rows,
        queries=min(training["train_accuracy_rows"] or rows, rows) + shapes["validation"][0] + shapes["test"][0],
        pixels=height * width,
        cores=training["threads"] or os.cpu_count() or 1,
    ):
        say(f"check-models: {line}")
