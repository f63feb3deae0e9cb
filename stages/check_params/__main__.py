"""Stage check-params: the whole of params.yaml, before any stage works."""

import argparse
import sys

from stages.check_params.structure import check_structure
from stages.params.reading import lines_named, read
from stages.program import running
from stages.store.files import places
from stages.store.reports import save_text


def main() -> None:
    """Check params.yaml, and write that it was checked: always the same text, so that nothing else runs again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--structure-only",
        action="store_true",
        help="check keys and values, without asking scikit-learn and Keras for their classes, and write nothing",
    )
    structure_only = parser.parse_args().structure_only
    content = read()
    sections = check_structure(content)
    if structure_only:
        return
    # Keras takes seconds to import, which the check of the structure need not wait for.
    running.start_tensorflow()
    from stages.check_params.classes import check_classes

    with lines_named(content):
        check_classes(sections.baselines, sections.nets, sections.training.seed)
    save_text(places.CHECKS / "params.txt", "params.yaml is in order\n")


if __name__ == "__main__":
    running.run("check-params", main, timed="--structure-only" not in sys.argv)
