"""Stage evaluate: what every model reaches. The only stage that reads the test labels to judge by them."""

import pandas as pd

from stages.evaluate.leaderboard import as_markdown, as_table, leaderboard
from stages.evaluate.metrics import model_metrics, per_class, report
from stages.params import baselines, nets
from stages.program import console, running
from stages.store.arrays import load_classes, load_labels
from stages.store.files import places
from stages.store.predictions import load_facts, load_predictions
from stages.store.reports import save_json, save_table, save_text


def main() -> None:
    """Read predictions, facts and labels; write metrics, tables and reports."""
    declared = [*baselines.load(), *nets.load()]
    if not declared:
        raise console.UserError("params.yaml declares no model; 'baselines' and 'nets' are both empty")
    for path in places.undeclared(baselines.load(), nets.load()):
        path.unlink()
        console.say(f"evaluate: removed {path}, which params.yaml no longer declares")

    names = load_classes()
    validation_labels, labels = load_labels("validation"), load_labels("test")
    metrics, predicted, classes = {}, {}, []
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
        save_json(places.METRICS / f"{name}.json", metrics[name])
        save_text(places.CLASSIFICATION / f"{name}.txt", report(labels, test.codes, names))
        save_table(
            places.CONFUSION / f"{name}.csv",
            pd.DataFrame({"actual": labels, "predicted": test.codes}).map(lambda code: names[code]),
        )

    rows = leaderboard(metrics, predicted, labels)
    save_json(places.LEADERBOARD, rows)
    save_table(places.LEADERBOARD.with_suffix(".csv"), as_table(rows))
    save_text(places.LEADERBOARD.with_suffix(".md"), as_markdown(rows, len(labels)))
    # What experiments are compared by: the set that decides, where there is one.
    deciding = "validation_accuracy" if len(validation_labels) else "test_accuracy"
    save_json(places.SUMMARY, {name: metrics[name][deciding] for name in declared})
    save_table(places.PER_CLASS, pd.concat(classes))
    for row in rows:
        validated = f"validation {row['validation_accuracy']:.4f}, " if len(validation_labels) else ""
        console.say(f"evaluate: {row['place']:2}. {row['model']}: accuracy: {validated}test {row['test_accuracy']:.4f}")
        if row.get("chance_level") is not None:
            console.say(
                f"evaluate: {row['model']} is no better than chance: the most frequent class has a share of "
                f"{row['chance_level']:.4f}"
            )


if __name__ == "__main__":
    running.run("evaluate", main, timed=True)
