"""Stage train-baselines@NAME: fit one scikit-learn classifier, save it, and predict with the saved file."""

import argparse

from stages.shared.process.run import run


def main() -> None:
    """Read the split; write the model, its predictions, facts and the weights to draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="name of a baseline in params.yaml")
    name = parser.parse_args().name

    import numpy as np

    from stages.shared.files.datasets import load_classes, load_image_size, load_labels, load_rows
    from stages.shared.files.predictions import save_facts, save_predictions
    from stages.shared.files.skops_models import load_baseline, save_baseline
    from stages.shared.files.weights import save_weights
    from stages.shared.models import build_classifier
    from stages.shared.models.drawable_weights import linear_weights
    from stages.shared.params import baselines_section, training_section
    from stages.shared.params.yaml_file import plain, read
    from stages.shared.process import console
    from stages.shared.trials.changed_models import changed_models
    from stages.shared.trials.try_models import try_models
    from stages.train_baselines import acceleration
    from stages.train_baselines.fitting import fit
    from stages.train_baselines.predicting import parameter_count, predictions

    content = read()
    if changed_models(plain(content)).left == name:
        try_models(content, [name])
    declared, shared = baselines_section.load_one(name), training_section.load()
    names = load_classes()
    classes = len(names)
    X, y = load_rows("train"), load_labels("train")
    where = ("baselines", name)
    model = build_classifier.build(declared.class_, declared.settings, shared.seed, where)

    with acceleration.threads(shared.threads):
        console.say(f"{name}: fitting {declared.class_} to {len(y):,} rows")
        save_baseline(name, fit(model, X, y, shared.threads, where))
        saved = load_baseline(name)  # the file is evaluated, not the model in memory
        save_weights(name, linear_weights(saved, *load_image_size(), names))
        saved = acceleration.accelerated(saved)
        head = slice(shared.train_accuracy_rows)
        console.say(f"{name}: predicting")
        train_codes = predictions(saved, X[head], classes).codes
        validation = predictions(saved, load_rows("validation"), classes)
        test = predictions(saved, load_rows("test"), classes)
    save_predictions(name, validation, test)
    accuracy = float(np.mean(train_codes == y[head]))
    save_facts(
        name,
        {
            "class": declared.class_,
            "parameters": parameter_count(saved),
            "train_accuracy": accuracy,
            "train_rows_judged": len(train_codes),
        },
    )
    console.say(f"{name}: training accuracy {accuracy:.5f}")


if __name__ == "__main__":
    run("train-baselines", main, timed=True)
