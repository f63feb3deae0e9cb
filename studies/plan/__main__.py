"""Stage plan: check studies/studies.yaml and write what each study trains, as complete declarations of models."""

from stages.shared.process.run import run


def main() -> None:
    """Read params.yaml and studies.yaml; write studies/plans."""
    from pathlib import Path

    from stages.check_params.classes import read_definitions
    from stages.hash_code.dependencies import TRIALS, closure, dependencies, listing
    from stages.shared.files import paths
    from stages.shared.files.text_files import load_json, save_text
    from stages.shared.params.mistakes import line_numbers
    from stages.shared.params.yaml_file import plain, read
    from studies.files import CODE, save_plan
    from studies.plan.checks import check_claims, check_trainings
    from studies.settings import STUDIES, check_studies
    from studies.trainings import trainings

    params, content = plain(read()), read(STUDIES)
    definitions = read_definitions()
    with line_numbers(content, STUDIES):
        declared = check_studies(content)
        studies = declared.studies
        planned = {name: trainings(name, study, params) for name, study in studies.items()}
        for name, each in planned.items():
            check_trainings(name, each, definitions)
            check_claims(name, studies[name], each)
            # The classroom's are among them, but for the number of rows.
            trainings(name, studies[name], params, classroom=True)
    for name, each in planned.items():
        save_plan(name, each, declared.threads)
    versions = load_json(paths.LIBRARIES)
    for stage in ("judge", "page"):
        save_text(CODE.path(stage), dependencies(Path("studies") / stage, versions, Path()))
    # Of the stage that trains, the training alone: its results cost hours.
    trained_by = closure(Path("studies/train/models.py"), Path(), TRIALS)
    save_text(CODE.path("train"), listing(trained_by, versions, Path()))


if __name__ == "__main__":
    run("plan", main, timed=True)
