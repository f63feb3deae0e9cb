"""Stage STUDY@SEED: the trainings of a study with one seed."""

import argparse

from stages.shared.process.run import run


def main() -> None:
    """Read the plan and the split; write a table with a row per training, and predictions for the test images."""
    parser = argparse.ArgumentParser(prog="python -m studies.train", description=__doc__)
    parser.add_argument("study")
    parser.add_argument("seed", type=int)
    options = parser.parse_args()

    from stages.shared.models.tensorflow_startup import start_tensorflow
    from studies.files import load_plan

    trainings, threads = load_plan(options.study, options.seed)
    start_tensorflow()
    from stages.shared.process import console
    from studies.files import run_folder, save_run
    from studies.train.earlier import earlier_results, keys_of
    from studies.train.models import described, load_data, set_threads, train_model

    set_threads(threads)
    data = load_data()
    keys = keys_of(trainings, data, threads)
    results = earlier_results(options.study, options.seed)
    new = len({*keys} - {*results})
    console.say(f"{options.study}: seed {options.seed}: {len(trainings)} trainings, {new} of them new")
    for done, (training, key) in enumerate(zip(trainings, keys, strict=True), 1):
        if key not in results:
            results[key] = train_model(training, data, threads)
            console.say(f"{options.study}: {done} of {len(trainings)}: {described(training, results[key])}")
    save_run(run_folder(options.study, options.seed), trainings, keys, [results[key] for key in keys])


if __name__ == "__main__":
    run("study", main, timed=True)
