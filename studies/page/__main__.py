"""Stage page: the studies with their verdicts and figures, in docs/studies.md and on a page for the browser."""

from stages.shared.process.run import run


def main() -> None:
    """Read studies/studies.yaml, studies/results and studies/verdicts; write the figures and both pages."""
    from stages.shared.files.text_files import load_json, save_text
    from stages.shared.files.whole_files import replacing
    from stages.shared.params.mistakes import line_numbers
    from stages.shared.params.yaml_file import read
    from studies.files import FIGURES, MARKDOWN, PAGE, VERDICTS
    from studies.judge.results import results_table
    from studies.page.pages import html_page, markdown_page, shown
    from studies.settings import STUDIES, check_studies

    content = read(STUDIES)
    with line_numbers(content, STUDIES):
        studies = check_studies(content).studies
    pages = []
    for name, study in studies.items():
        found, table = load_json(VERDICTS.path(name), "verdicts", "summaries"), results_table(name, study.seeds)
        pages.append(shown(name, study, found["verdicts"], found["summaries"], table))
    for each in pages:
        with replacing(FIGURES.path(each.name)) as temporary:
            temporary.write_bytes(each.figure)
    save_text(MARKDOWN, markdown_page(pages))
    save_text(PAGE, html_page(pages))


if __name__ == "__main__":
    run("page", main, timed=True)
