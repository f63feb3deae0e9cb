"""The studies as Markdown and as one self-contained HTML file."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from stages.shared.charts.number_format import percent
from stages.shared.charts.png import chart_png
from stages.shared.charts.style import css_variables
from studies.page.figure import study_figure, words
from studies.settings import Measure, Study


class Shown(NamedTuple):
    """A study and its results.

    Attributes
    ----------
    name, study : str, Study
        The declaration.
    verdicts, summaries : sequence of mapping
        As `studies.judge.results` returns them.
    figure : bytes
        A PNG.
    """

    name: str
    study: Study
    verdicts: Sequence[Mapping[str, str]]
    summaries: Sequence[Mapping[str, Any]]
    figure: bytes


def shown(
    name: str,
    study: Study,
    verdicts: Sequence[Mapping[str, str]],
    summaries: Sequence[Mapping[str, Any]],
    table: pd.DataFrame,
) -> Shown:
    """Draw the figure of a study; the arguments are those of `studies.judge.results`."""
    chart = study_figure(study.figure, table, summaries)
    return Shown(name, study, verdicts, summaries, chart_png(chart, name, study.question))


def markdown_page(shown: Sequence[Shown]) -> str:
    """Return the studies as Markdown."""
    return _render("page.md", shown, autoescape=False)


def html_page(shown: Sequence[Shown], note: str = "") -> str:
    """Return the studies as HTML that contains its styles and pictures, with a note at the top."""
    return _render("page.html", shown, autoescape=True, note=note)


def _render(template: str, shown: Sequence[Shown], autoescape: bool, note: str = "") -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    studies = [
        {
            "name": each.name,
            "study": each.study,
            "verdicts": each.verdicts,
            "columns": [*map(words, each.summaries[0]["levels"]), "seeds", *map(words, _measures(each.summaries))],
            "factors": len(each.summaries[0]["levels"]),
            "rows": [_row(summary, _measures(each.summaries)) for summary in each.summaries],
            "figure": f"data:image/png;base64,{base64.b64encode(each.figure).decode()}",
        }
        for each in shown
    ]
    return environment.get_template(template).render(studies=studies, style=Markup(css_variables()), note=note)


def _measures(summaries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the measures that any training has: a classifier without probabilities has no loss."""
    return [measure for measure in get_args(Measure) if any(measure in each for each in summaries)]


def _row(summary: Mapping[str, Any], measures: Sequence[str]) -> list[str]:
    cells = [*summary["levels"].values(), str(summary["validation_accuracy"]["n"])]
    for measure in measures:
        found = summary.get(measure)
        cells.append("–" if found is None else _with_sd(found, measure.endswith("accuracy")))
    return cells


def _with_sd(found: Mapping[str, Any], share: bool) -> str:
    mean = percent(found["mean"]) if share else f"{found['mean']:.4f}"
    if found["sd"] is None:
        return mean
    return f"{mean} (SD {100 * found['sd']:.2f})" if share else f"{mean} (SD {found['sd']:.4f})"
