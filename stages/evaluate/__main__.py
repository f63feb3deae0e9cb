"""Stage evaluate: metrics of every model and the leaderboard. The only stage that judges by the test labels."""

from stages.shared.process.run import run


def main() -> None:
    """Read predictions, facts and labels; write metrics, tables and reports, and copy the histories there."""
    import pandas as pd

    from stages.evaluate.leaderboard import as_markdown, as_table, leaderboard
    from stages.evaluate.metrics import confusion, model_metrics, per_class, report
    from stages.shared.errors import UserError
    from stages.shared.files import paths
    from stages.shared.files.datasets import load_classes, load_labels
    from stages.shared.files.predictions import load_facts, load_predictions
    from stages.shared.files.tables import save_table
    from stages.shared.files.text_files import load_json, save_json, save_text
    from stages.shared.files.whole_files import publish
    from stages.shared.process import console

    kinds = load_json(paths.DECLARED, "baselines", "nets")
    nets = kinds["nets"]
    declared = [*kinds["baselines"], *nets]
    if not declared:
        raise UserError("params.yaml declares no model; 'baselines' and 'nets' are both empty")

    names = load_classes()
    validation_labels, labels = load_labels("validation"), load_labels("test")
    metrics, predicted, counts, classes = {}, {}, {}, []
    for name in declared:
        test = load_predictions(name, "test")
        metrics[name] = model_metrics(
            (validation_labels, load_predictions(name, "validation").codes),
            (labels, test.codes),
            test.scores if test.kind == "probability" else None,
            load_facts(name),
            len(names),
        )
        predicted[name] = test.codes
        classes.append(per_class(name, labels, test.codes, names))
        counts[name] = confusion(labels, test.codes, len(names)).tolist()
        save_json(paths.METRICS.path(name), metrics[name])
        save_text(paths.CLASSIFICATION.path(name), report(labels, test.codes, names))
        save_table(
            paths.CONFUSION.path(name),
            pd.DataFrame({"actual": labels, "predicted": test.codes}).map(lambda code: names[code]),
        )

    # The training stages write cached files alone, so that DVC can restore them; Git keeps these.
    publish(paths.DUPLICATES, paths.PUBLISHED_DUPLICATES)
    for folder in (paths.PUBLISHED_HISTORY.folder, paths.PUBLISHED_SUMMARIES.folder):
        folder.mkdir(parents=True, exist_ok=True)  # DVC expects them if there are no nets, too
    for name in nets:
        publish(paths.HISTORY.path(name), paths.PUBLISHED_HISTORY.path(name))
        publish(paths.SUMMARIES.path(name), paths.PUBLISHED_SUMMARIES.path(name))
    rows = leaderboard(metrics, predicted, labels)
    save_json(paths.LEADERBOARD, rows)
    save_table(paths.LEADERBOARD_CSV, as_table(rows))
    save_text(paths.LEADERBOARD_MD, as_markdown(rows, len(labels)))
    # Experiments are compared on the validation set, if there is one.
    deciding = "validation_accuracy" if len(validation_labels) else "test_accuracy"
    save_json(paths.SUMMARY, {name: metrics[name][deciding] for name in declared})
    save_table(paths.PER_CLASS, pd.concat(classes))
    save_json(paths.CONFUSION_COUNTS, counts)
    for row in rows:
        validated = f"validation {row['validation_accuracy']:.4f}, " if len(validation_labels) else ""
        console.say(f"evaluate: {row['place']:2}. {row['model']}: accuracy: {validated}test {row['test_accuracy']:.4f}")
        if row.get("chance_level") is not None:
            console.say(
                f"evaluate: {row['model']} is no better than chance: the most frequent class has a share of "
                f"{row['chance_level']:.4f}"
            )


if __name__ == "__main__":
    run("evaluate", main, timed=True)
