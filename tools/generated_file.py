"""The command line of the tools that write a file: without options they write it, with `--check` they compare it."""

import argparse
from pathlib import Path

from stages.shared.errors import UserError
from stages.shared.files.whole_files import replacing


def write_or_check(path: Path, text: str, command: str) -> bool:
    """Write a file, or compare it if the command line has the option `--check`; return whether it has.

    Parameters
    ----------
    path : Path
        The file.
    text : str
        Its new content.
    command : str
        The command that writes it, for the error message.

    Raises
    ------
    UserError
        With `--check`, the file is missing or has another content.
    """
    parser = argparse.ArgumentParser(prog=command, description=f"Writes {path}.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the file is out of date")
    check: bool = parser.parse_args().check
    if not check:
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    elif not path.is_file() or path.read_text(encoding="utf-8") != text:
        raise UserError(f"{path} is out of date; run '{command}'")
    return check
