"""Stage judge@STUDY: the measures of a study over seeds, and the verdicts on its claims."""

import argparse

from stages.shared.process.run import run


def main() -> None:
    """Read the results of all seeds; write studies/verdicts."""
    parser = argparse.ArgumentParser(prog="python -m studies.judge", description=__doc__)
    parser.add_argument("study")
    name = parser.parse_args().study

    from stages.shared.files.text_files import save_json
    from stages.shared.params.mistakes import line_numbers
    from stages.shared.params.yaml_file import read
    from studies.files import VERDICTS
    from studies.judge.results import results_table, summaries, verdicts
    from studies.settings import STUDIES, check_studies

    content = read(STUDIES)
    with line_numbers(content, STUDIES):
        study = check_studies(content).studies[name]
    table = results_table(name, study.seeds)
    save_json(VERDICTS.path(name), {"verdicts": verdicts(study, table), "summaries": summaries(study, table)})


if __name__ == "__main__":
    run("judge", main, timed=True)
