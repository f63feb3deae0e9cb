"""The pages for people, reports/index.html and reports/README.md, and the pictures that they show."""

from pathlib import Path

from stages.shared.files.paths import PICTURES

PAGE = Path("reports/index.html")
README = Path("reports/README.md")


def list_pictures(kind: str) -> dict[str, Path]:
    """List the pictures of one kind.

    Parameters
    ----------
    kind : str
        A folder of reports/pictures: "weights", "curves" or "confusion".

    Returns
    -------
    dict of str to Path
        Name without its ending -> file, sorted by name; empty where there are none.
    """
    return {path.stem: path for path in sorted((PICTURES / kind).glob("*.png"))}
