"""Stages plot-weights@NAME and plot-baselines@NAME: pictures of what one model learned, and of its errors."""

import argparse

from stages.shared.process.run import run


def main() -> None:
    """Read weights, history and confusion matrix of one model; write reports/pictures/models/NAME."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="name of a model in params.yaml")
    name = parser.parse_args().name

    from stages.plot_weights.pictures import pictures
    from stages.shared.files import paths
    from stages.shared.files.datasets import load_classes
    from stages.shared.files.predictions import load_facts
    from stages.shared.files.tables import load_confusion, load_history
    from stages.shared.files.weights import load_weights
    from stages.shared.files.whole_files import replacing
    from stages.shared.params import pictures_section
    from stages.shared.process import console

    names = load_classes()
    kept = load_facts(name).get("best_epoch", 0)  # only nets are trained in epochs
    history = load_history(name) if kept else None
    settings = pictures_section.load().weights.get(name, {})
    written = 0
    for picture, png in pictures(name, load_weights(name), settings, load_confusion(name, names), names, history, kept):
        with replacing(paths.model_pictures(name) / f"{picture}.png") as temporary:
            temporary.write_bytes(png)
        written += 1
    console.say(f"{name}: {written} pictures in {paths.model_pictures(name)}")


if __name__ == "__main__":
    run("plot-weights", main, timed=True)
