"""Runs the classroom size of a study in the folder .dvc/tmp/studies, without DVC; `make study NAME=...`."""

import argparse
import os
from pathlib import Path

from stages.shared.errors import UserError, unknown_name
from stages.shared.params.mistakes import line_numbers
from stages.shared.params.yaml_file import plain, read
from stages.shared.process import console
from stages.shared.process.run import run
from studies.settings import STUDIES, Study, check_studies, sides
from studies.trainings import Training, selected, trainings
from tools.quick import commands, prepare, run_stage

FOLDER = Path(".dvc/tmp/studies")
SPLIT = "normalise-and-split"


def declared(name: str) -> tuple[Study, list[Training], int]:
    """Return a study with the seeds and claims of its classroom size, its trainings, and the processor cores of each.

    Raises
    ------
    UserError
        There is no such study, or a declaration is wrong.
    """
    content = read(STUDIES)
    with line_numbers(content, STUDIES):
        file = check_studies(content)
        studies = file.studies
        if not name:
            raise UserError(f"NAME says which study: make study NAME={next(iter(studies))}")
        if name not in studies:
            raise UserError(f"NAME: {unknown_name(name, studies, 'study')}")
        found = trainings(name, studies[name], plain(read()), classroom=True)
        if not found:
            raise UserError(f"{STUDIES}: studies.{name}.classroom: no training has these levels and at most these rows")
    study = studies[name]
    # Those of levels that the classroom size leaves out cannot be judged.
    claims = [each for each in study.claims if all(selected(levels, found) for levels in sides(each).values())]
    smaller = {"seeds": study.seeds[: study.classroom.seeds], "claims": claims}
    return study.model_copy(update=smaller), found, file.threads


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
    parser.add_argument("--name", required=True, help="name of a study in studies/studies.yaml")
    name = parser.parse_args().name
    study, found, threads = declared(name)
    console.say(f"study: {name}: {len(found)} trainings; {study.question}")
    make_split(folder := FOLDER / name)

    from stages.shared.models.tensorflow_startup import start_tensorflow

    start_tensorflow()
    from stages.shared.files.text_files import save_text
    from studies.files import PAGE, RESULTS
    from studies.judge.results import results_table, summaries, verdicts
    from studies.page.pages import html_page, shown
    from studies.train.data import load_data
    from studies.train.models import start
    from studies.train.seeds import train_seed

    start(threads)
    data = load_data()
    for seed in study.seeds:
        own = [each for each in found if each.seed == seed]
        keys = [str(position) for position in range(len(own))]
        train_seed(name, RESULTS.path(f"{name}/{seed}"), own, keys, {}, data, threads)
    table = results_table(name, study.seeds)
    decided = verdicts(study, table)
    note = (
        f"Classroom size: at most {study.classroom.rows:,} training rows and {len(study.seeds)} seeds. Few rows are "
        "trained for more epochs, and claims about levels that are left out are not judged."
    )
    save_text(PAGE, html_page([shown(name, study, decided, summaries(study, table), table)], note))
    for verdict in decided:
        console.say(f"study: {verdict['verdict']}: {verdict['claim']} {verdict['sentence']}")
    console.say(f"study: fewer rows and seeds than in the whole study; its page: open {folder / PAGE}")


if __name__ == "__main__":
    run("study", main)
