"""No model file can contain code: no part of the project reads or writes pickles."""

import ast

import pytest

from tests.fixtures.small_project import ROOT

# Loading a file with these can run code from the file. scikit-learn and DVC use joblib and dill only for processes and
# caches on one machine.
PICKLES = {"cloudpickle", "dill", "jsonpickle", "joblib", "marshal", "pickle", "shelve"}
HARMLESS = {"parallel_config"}  # of joblib: threads or processes


def pickling(source: str) -> list[str]:
    """List the modules, functions and arguments in a program that read or write pickles."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in PICKLES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PICKLES:
            found += [f"{node.module}.{alias.name}" for alias in node.names if alias.name not in HARMLESS]
        elif isinstance(node, ast.Attribute) and node.attr in {
            "read_pickle",
            "to_pickle",
            "enable_unsafe_deserialization",
        }:
            found.append(node.attr)
        elif isinstance(node, ast.keyword) and (node.arg, ast.unparse(node.value)) in {
            ("allow_pickle", "True"),
            ("safe_mode", "False"),
        }:
            found.append(f"{node.arg}={ast.unparse(node.value)}")
    return found


def test_no_code_of_the_project_reads_or_writes_pickles() -> None:
    folders = ("benchmarks", "inference", "stages", "tools")
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    assert len(files) > 20
    assert {str(file.relative_to(ROOT)): found for file in files if (found := pickling(file.read_text()))} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load, parallel_config",
        "import a, dill.session as b",
        "np.load(path, allow_pickle=True)",
        "keras.saving.load_model(path, safe_mode=False)",
        "pd.read_pickle(path)",
    ],
)
def test_the_search_for_pickles_finds_each_kind(source: str) -> None:
    assert len(pickling(source)) == 1
    assert pickling("np.load(path, allow_pickle=False)\nimport json\nfrom joblib import parallel_config") == []
