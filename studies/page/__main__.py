"""Stage page: the studies with their verdicts and figures, in docs/studies.md and on a page for the browser."""

from stages.shared.process.run import run


def main() -> None:
    """Read studies/params.yaml and studies/results; write the figures and both pages."""
    from stages.shared.charts.png import chart_png
    from stages.shared.files.tables import load_table
    from stages.shared.files.text_files import load_json, save_text
    from stages.shared.files.whole_files import replacing
    from stages.shared.params.mistakes import line_numbers
    from stages.shared.params.yaml_file import read
    from studies.files import FIGURES, MARKDOWN, PAGE, RESULTS, VERDICTS
    from studies.page.figure import study_figure
    from studies.page.pages import Shown, html_page, markdown_page
    from studies.settings import STUDIES, check_studies

    content = read(STUDIES)
    with line_numbers(content, STUDIES):
        studies = check_studies(content)
    shown = []
    for name, study in studies.items():
        found = load_json(VERDICTS.path(name), "verdicts", "summaries")
        table = load_table(RESULTS.path(name))
        table[study.figure.y] = table[study.figure.y].astype(float)
        chart = study_figure(study.figure, table, found["summaries"])
        shown.append(Shown(name, study, found["verdicts"], found["summaries"], chart_png(chart, study.question)))
    for each in shown:
        with replacing(FIGURES.path(each.name)) as temporary:
            temporary.write_bytes(each.figure)
    save_text(MARKDOWN, markdown_page(shown))
    save_text(PAGE, html_page(shown))


if __name__ == "__main__":
    run("page", main, timed=True)
