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
    from studies.train.data import load_data
    from studies.train.earlier import earlier_results, keys_of

    planned, threads = load_plan(options.study)
    trainings = [each for each in planned if each.seed == options.seed]
    data = load_data()
    if (most := max(each.rows or 0 for each in trainings)) > len(data.labels):
        raise UserError(f"rows: {most:,} are more than the {len(data.labels):,} training images")
    path = RESULTS.path(f"{options.study}/{options.seed}")
    keys, earlier = keys_of(trainings, data, threads), earlier_results(path)
    new = {*keys} - {*earlier}
    console.say(f"{options.study}: seed {options.seed}: {len(trainings)} trainings, {len(new)} of them new")
    if not new:
        save_results(path, trainings, keys, earlier)
        return
    from stages.shared.models.tensorflow_startup import start_tensorflow

    start_tensorflow()
    from studies.train.models import start
    from studies.train.seeds import train_seed

    start(threads)
    train_seed(options.study, path, trainings, keys, earlier, data, threads)


if __name__ == "__main__":
    run("study", main, timed=True)
