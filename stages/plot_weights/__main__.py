"""Stage plot-weights: what the models learned, and how well, as pictures."""

import numpy as np
from matplotlib.figure import Figure

from stages.program import console, running


def main() -> None:
    """Read models, predictions and tables; write reports/pictures."""
    running.start_tensorflow()
    from stages.building.weights import linear_weights, net_weights
    from stages.params import pictures
    from stages.plot_weights.confusion import confusion_figure
    from stages.plot_weights.curves import all_nets_figure, learning_curves_figure
    from stages.plot_weights.digits import confidently_wrong, sample_figure, wrong_figure
    from stages.plot_weights.figures import write_png
    from stages.plot_weights.leaderboard import leaderboard_figure
    from stages.plot_weights.models import drawn_weights
    from stages.store.arrays import load_classes, load_image_size, load_images, load_labels, load_raw_images
    from stages.store.baselines import load_baseline
    from stages.store.files import places
    from stages.store.files.writing import replacing
    from stages.store.history import load_history
    from stages.store.nets import load_net
    from stages.store.predictions import load_facts, load_predictions
    from stages.store.reports import load_json

    def write(name: str, figure: Figure) -> None:
        with replacing(places.PICTURES / f"{name}.png") as temporary:
            write_png(figure, temporary)

    how, names = pictures.load(), load_classes()
    height, width = load_image_size()
    board = load_json(places.LEADERBOARD)
    labels = load_labels("test")
    nets = [row["model"] for row in board if places.net_file(row["model"]).is_file()]

    write("samples", sample_figure(load_raw_images()[:50], title="the first digits of the data set"))
    write(
        "leaderboard",
        leaderboard_figure(
            [row["model"] for row in board],
            *(np.array([row[key] for row in board]) for key in _INTERVAL),
            title=f"test accuracy on {len(labels):,} images",
            kinds=["neural net" if row["model"] in nets else "baseline" for row in board],
        ),
    )

    for row in board:
        name = row["model"]
        if name in nets:
            weights = net_weights(load_net(name), height, width)
        else:
            weights = linear_weights(load_baseline(name), height, width, names)
        for layer, figure in drawn_weights(name, weights, how.weights.get(name, {}), names).items():
            write(f"weights/{name}.{layer}", figure)
        test = load_predictions(name, "test")
        counts = np.zeros((len(names), len(names)), np.int64)
        np.add.at(counts, (labels, test.codes), 1)
        write(f"confusion/{name}", confusion_figure(counts, title=name, names=names))

    histories = {name: load_history(name) for name in nets}
    for name, history in histories.items():
        curves = {str(column): history[column].to_numpy() for column in history.columns if column != "epoch"}
        kept = load_facts(name)["best_epoch"]
        write(f"curves/{name}", learning_curves_figure(title=name, **curves, kept_epoch=kept))
    if histories:
        validated = all("val_loss" in history for history in histories.values())
        prefix = "val_" if validated else ""
        write(
            "curves/all-nets",
            all_nets_figure(
                title=f"all nets, on the {'validation' if validated else 'training'} set",
                val_accuracy={name: history[f"{prefix}accuracy"].to_numpy() for name, history in histories.items()},
                val_loss={name: history[f"{prefix}loss"].to_numpy() for name, history in histories.items()},
                kept_epochs={name: load_facts(name)["best_epoch"] for name in histories},
            ),
        )

    best = board[0]["model"]
    test = load_predictions(best, "test")
    scores = test.scores if test.scores.shape[1] else None
    rows, confidence, measure = confidently_wrong(labels, test.codes, scores)
    write(
        "errors",
        wrong_figure(
            load_images("test")[rows],
            labels[rows],
            test.codes[rows],
            confidence,
            title=f"{best}: the errors it was surest of",
            names=names,
            measure=measure,
            errors=int(np.sum(test.codes != labels)),
            total=len(labels),
        ),
    )
    console.say(f"plot-weights: {len(list(places.PICTURES.rglob('*.png')))} pictures in {places.PICTURES}")


_INTERVAL = ("test_accuracy", "test_accuracy_low", "test_accuracy_high")

if __name__ == "__main__":
    running.run("plot-weights", main, timed=True)
