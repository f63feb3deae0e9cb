"""What this repository promises about the notebook: its models, their artifacts, the pages that show them.

Skipped where params.yaml is another project's, and never in CI. All other tests have settings of their own, in
tests/fixtures/params.yaml, and pass with any params.yaml. In a project of your own, delete this file.
"""

import ast
import re
from typing import Any

import pytest
from ruamel.yaml import YAML

from stages.check_params.structure import check_structure
from stages.shared.errors import UserError
from stages.shared.files import paths
from stages.shared.params.mistakes import line_numbers
from stages.shared.params.yaml_file import read
from tests.fixtures.notebook import notebook_only
from tests.fixtures.small_project import PARAMS, ROOT
from tools import readme

pytestmark = notebook_only

PAGE = ROOT / "docs" / "notebook.md"
README_LINES = 200


def section(file: str, name: str) -> dict[str, Any]:
    return YAML(typ="safe").load((ROOT / file).read_text())[name]


def test_the_tests_have_the_settings_of_the_notebook() -> None:
    assert (ROOT / "params.yaml").read_bytes() == PARAMS.read_bytes(), (
        "params.yaml differs from the notebook's: run 'cp params.yaml tests/fixtures/params.yaml' if the notebook's "
        "settings changed; delete tests/test_notebook.py if this is a project of your own"
    )


def test_every_declared_model_is_an_artifact_with_a_complete_description() -> None:
    files = {name: paths.BASELINES.path(name) for name in section("params.yaml", "baselines")}
    files |= {name: paths.NETS.path(name) for name in section("params.yaml", "nets")}
    artifacts = section("dvc.yaml", "artifacts")
    assert set(artifacts) == set(files), "update `artifacts` in dvc.yaml"
    for name, artifact in artifacts.items():
        assert artifact["path"] == files[name].as_posix()
        assert artifact["type"] == "model"
        assert artifact["desc"]
        framework = {".skops": "scikit-learn", ".keras": "keras"}[files[name].suffix]
        assert artifact["meta"] == {"framework": framework}
        assert framework in artifact["labels"]


def test_the_readme_has_the_models_and_fits_on_a_few_screens() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \**([\w-]+)\** \|", readme.read_part(ROOT / "README.md", "leaderboard"), re.MULTILINE)
    assert set(rows) == {"model", *section("params.yaml", "baselines"), *section("params.yaml", "nets")}
    assert len(text.splitlines()) <= README_LINES


def test_the_readme_quotes_the_message_about_a_mistake(edited_params: Any) -> None:
    edited_params(("    epochs: 50", "    epoch: 50"))
    content = read()
    with pytest.raises(UserError) as caught, line_numbers(content):
        check_structure(content)
    assert f"check-params: {caught.value}\n" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_page_names_what_is_defined() -> None:
    references = re.findall(r"\[([\w/.]+\.py)\]\(\.\./\1\): ((?:`\w+`(?:, )?)+)", PAGE.read_text(encoding="utf-8"))
    assert len(references) > 15
    for path, names in references:
        body = ast.parse((ROOT / path).read_text(encoding="utf-8")).body
        defined = {node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        assert set(re.findall(r"`(\w+)`", names)) <= defined, f"docs/notebook.md, {path}"


def test_the_page_names_what_is_declared() -> None:
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    places = re.findall(r"`((?:baselines|nets|pictures|split|training)\.[\w.-]+?)(?:: [^`]*)?`", PAGE.read_text())
    assert len(places) > 10
    for place in places:
        value = params
        for key in place.split("."):
            assert key in value, f"docs/notebook.md names {place}"
            value = value[key]
