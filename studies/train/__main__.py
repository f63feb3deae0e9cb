"""Stage STUDY@SEED: the trainings of a study with one seed."""

import argparse

from stages.shared.process.run import run


def main() -> None:
    """Read the plan and the split; write a table with a row per training."""
    parser = argparse.ArgumentParser(prog="python -m studies.train", description=__doc__)
    parser.add_argument("study")
    parser.add_argument("seed", type=int)
    options = parser.parse_args()

    from stages.shared.errors import UserError
    from stages.shared.process import console
    from studies.files import RESULTS, load_plan, save_results
    from studies.train.data import load_data, test_accuracies
    from studies.train.earlier import earlier_results, keys_of
    from studies.trainings import described

    planned, threads = load_plan(options.study)
    trainings = [each for each in planned if each.seed == options.seed]
    data = load_data()
    if (most := max(each.rows or 0 for each in trainings)) > len(data.labels):
        raise UserError(f"rows: {most:,} are more than the {len(data.labels):,} training images")
    path = RESULTS.path(f"{options.study}/{options.seed}")
    keys, results = keys_of(trainings, data, threads), earlier_results(path)
    new = [each for each in zip(keys, trainings, strict=True) if each[0] not in results]
    console.say(f"{options.study}: seed {options.seed}: {len(trainings)} trainings, {len(new)} of them new")
    if new:
        from stages.shared.models.tensorflow_startup import start_tensorflow

        start_tensorflow()
        from studies.train.models import start, train_model

        start(threads)
        codes = {}
        try:
            for done, (key, training) in enumerate(new, 1):
                results[key], codes[key] = train_model(
                    training.model, training.declaration, training.rows, training.seed, data, threads
                )
                console.say(f"{options.study}: {done} of {len(new)}: {described(training, results[key])}")
        finally:  # if one fails, the others need not be trained again
            for key, accuracy in test_accuracies(codes).items():
                results[key]["test_accuracy"] = accuracy
            save_results(path, trainings, keys, results)
    save_results(path, trainings, keys, results)


if __name__ == "__main__":
    run("study", main, timed=True)
