"""Stage report: pictures of the data and of all models, and one page, as HTML and as Markdown."""

from stages.shared.process.run import run


def main() -> None:
    """Read tables, histories, predictions and pictures; write pictures, reports/index.html and reports/README.md."""
    import pandas as pd

    from stages.report.page import Results, html_page, markdown_page
    from stages.report.pictures import PICTURES
    from stages.shared.files import paths
    from stages.shared.files.datasets import load_classes, load_images, load_labels
    from stages.shared.files.predictions import load_facts, load_predictions
    from stages.shared.files.tables import load_history, load_table
    from stages.shared.files.text_files import load_json, save_text
    from stages.shared.files.whole_files import replacing, require_file
    from stages.shared.process import console

    for draw in PICTURES:
        for name, png in draw():
            with replacing(paths.PICTURES.path(f"overview/{name}")) as temporary:
                temporary.write_bytes(png)

    board = load_json(paths.LEADERBOARD)
    models = [row["model"] for row in board]
    # Only nets are trained in epochs.
    kept = {name: facts["best_epoch"] for name in models if "best_epoch" in (facts := load_facts(name))}
    per_class = load_table(paths.PER_CLASS)
    scores = ["precision", "recall", "f1", "support"]
    per_class[scores] = per_class[scores].apply(pd.to_numeric)
    pictures = {name: paths.list_pictures(name) for name in models}
    page = html_page(
        Results(
            leaderboard=board,
            per_class=per_class,
            confusion=load_json(paths.CONFUSION_COUNTS),
            histories={name: load_history(name) for name in sorted(kept)},
            kept=kept,
            names=load_classes(),
            images=load_images("test"),
            labels=load_labels("test"),
            predicted={name: load_predictions(name, "test").codes for name in models},
            weights={
                f"{model}.{name.removeprefix('weights.')}": path.read_bytes()
                for model, files in pictures.items()
                for name, path in files.items()
                if name.startswith("weights.")
            },
        )
    )
    save_text(paths.PAGE, page)
    table = require_file(paths.LEADERBOARD_MD).read_text(encoding="utf-8")
    save_text(paths.README, markdown_page(table, pictures))
    console.say(f"report: {paths.PAGE}, {paths.PAGE.stat().st_size / 1000:,.0f} kB, and {paths.README}")


if __name__ == "__main__":
    run("report", main, timed=True)
