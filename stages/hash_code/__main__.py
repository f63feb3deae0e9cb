"""Stage hash-code: hashes what the results of each stage depend on; a change reruns the stages that it concerns."""

from pathlib import Path

from stages.shared.process.run import run


def main() -> None:
    """Read the code of all stages and libraries.json; write data/code."""
    from stages.hash_code.dependencies import dependencies
    from stages.shared.files import paths
    from stages.shared.files.text_files import load_json, save_text

    versions = load_json(paths.LIBRARIES)
    for file in sorted(Path("stages").glob("*/__main__.py")):
        save_text(paths.CODE.path(file.parent.name), dependencies(file.parent, versions, Path()))


if __name__ == "__main__":
    run("hash-code", main, timed=True)
