"""Stage plot-weights: what the models learned, and how well, as pictures."""

from stages.shared.process.run import run


def main() -> None:
    """Read models, predictions and tables; write reports/pictures."""
    from stages.shared.models.tensorflow_startup import start_tensorflow

    start_tensorflow()
    import numpy as np
    from matplotlib.figure import Figure

    from stages.plot_weights.confusion import confusion_figure
    from stages.plot_weights.curves import all_nets_figure, learning_curves_figure
    from stages.plot_weights.digits import confidently_wrong, sample_figure, wrong_figure
    from stages.plot_weights.figures import write_png
    from stages.plot_weights.leaderboard import leaderboard_figure
    from stages.plot_weights.weight_figures import drawn_weights
    from stages.shared.files import paths
    from stages.shared.files.datasets import load_classes, load_image_size, load_images, load_labels, load_raw_images
    from stages.shared.files.keras_models import load_net
    from stages.shared.files.predictions import load_facts, load_predictions
    from stages.shared.files.skops_models import load_baseline
    from stages.shared.files.tables import load_history
    from stages.shared.files.text_files import load_json
    from stages.shared.files.whole_files import replacing
    from stages.shared.models.drawable_weights import linear_weights, net_weights
    from stages.shared.params import pictures_section
    from stages.shared.process import console

    def write(name: str, figure: Figure) -> None:
        with replacing(paths.PICTURES.path(name)) as temporary:
            write_png(figure, temporary)

    how, names = pictures_section.load(), load_classes()
    height, width = load_image_size()
    board = load_json(paths.LEADERBOARD)
    labels = load_labels("test")
    nets = [row["model"] for row in board if paths.NETS.path(row["model"]).is_file()]

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
    console.say(f"plot-weights: {len(list(paths.PICTURES.folder.rglob('*.png')))} pictures in {paths.PICTURES.folder}")


_INTERVAL = ("test_accuracy", "test_accuracy_low", "test_accuracy_high")

if __name__ == "__main__":
    run("plot-weights", main, timed=True)
