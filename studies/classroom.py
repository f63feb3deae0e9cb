"""Runs the classroom size of a study in the folder .dvc/tmp/studies, without DVC; `make study NAME=...`."""

import argparse
import os
from pathlib import Path

from stages.shared.errors import UserError, unknown_name
from stages.shared.params.mistakes import line_numbers
from stages.shared.params.yaml_file import plain, read
from stages.shared.process import console
from stages.shared.process.run import run
from studies.settings import STUDIES, Study, check_studies, check_threads
from studies.trainings import Training, trainings
from tools.quick import commands, prepare, run_stage

FOLDER = Path(".dvc/tmp/studies")
SPLIT = "normalise-and-split"


def declared(name: str) -> tuple[Study, list[Training], int]:
    """Return a study with the seeds of its classroom size, its trainings, and the number of processor cores for them.

    Raises
    ------
    UserError
        There is no such study, or a declaration is wrong.
    """
    content = read(STUDIES)
    with line_numbers(content, STUDIES):
        studies, threads = check_studies(content), check_threads(content)
        if name not in studies:
            raise UserError(f"NAME: {unknown_name(name, studies, 'study')}")
        found = trainings(name, studies[name], plain(read()), classroom=True)
    study = studies[name]
    return study.model_copy(update={"seeds": study.seeds[: study.classroom.seeds]}), found, threads


def make_split(folder: Path) -> None:
    """Make a folder with the pipeline's split, and change to it."""
    params = read()
    fetched = prepare(folder, params, without=[Path("studies")])
    os.chdir(folder)
    for stage, command in commands(params):
        if stage != "fetch" or not fetched:
            run_stage(stage, command)
        if stage == SPLIT:
            break


def main() -> None:
    """Train, judge and draw a study."""
    parser = argparse.ArgumentParser(prog="make study", description=__doc__)
    parser.add_argument("--name", required=True, help="name of a study in studies/params.yaml")
    name = parser.parse_args().name
    study, found, threads = declared(name)
    console.say(f"study: {name}: {len(found)} trainings; {study.question}")
    make_split(folder := FOLDER / name)

    from stages.shared.models.tensorflow_startup import start_tensorflow

    start_tensorflow()
    from stages.shared.files.datasets import load_labels
    from stages.shared.files.text_files import save_text
    from studies.files import PAGE, run_folder, save_run
    from studies.judge.results import results_table, summaries, verdicts
    from studies.page.pages import html_page, shown
    from studies.train.models import described, load_data, set_threads, train_model

    set_threads(threads)
    data, done = load_data(), 0
    for seed in study.seeds:
        own, results = [each for each in found if each.seed == seed], []
        for training in own:
            results.append(train_model(training, data, threads))
            done += 1
            console.say(f"study: {done} of {len(found)}: {described(training, results[-1])}")
        save_run(run_folder(name, seed), own, [str(position) for position in range(len(own))], results)
    table = results_table(name, study.seeds, load_labels("test"))
    decided = verdicts(study, table)
    save_text(PAGE, html_page([shown(name, study, decided, summaries(study, table), table)]))
    for verdict in decided:
        console.say(f"study: {verdict['verdict']}: {verdict['claim']} {verdict['sentence']}")
    console.say(f"study: fewer rows and seeds than in the whole study; its page: open {folder / PAGE}")


if __name__ == "__main__":
    run("study", main)
