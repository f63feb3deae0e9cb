"""The error for mistakes that a user can correct, and wording shared by its messages."""

import difflib
import re
from collections.abc import Iterable


class UserError(Exception):
    """A mistake that the user can correct; the message names the place, what is wrong and what is allowed."""


def unknown_name(name: object, allowed: Iterable[str], kind: str = "key") -> str:
    """Return a message about an unknown name, with the closest allowed name.

    Parameters
    ----------
    name : object
        The unknown name.
    allowed : iterable of str
        The known names.
    kind : str
        What the names are called in the message.
    """
    known = sorted(allowed)
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else ";"
    # A list of fifty class names does not help to correct a typo.
    listing = f" allowed: {', '.join(known)}" if len(known) <= 12 or not near else ""
    return f"unknown {kind} '{name}'{hint}{listing}"


def one_line(text: object, length: int = 300) -> str:
    """Return a message as one line of printable characters, from at most `length`; U+0085 becomes \\x85."""
    # Only ASCII white space; U+0085 and other separators are escaped below.
    line = re.sub(r"\s+", " ", str(text), flags=re.ASCII).strip()[:length]
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in line)
