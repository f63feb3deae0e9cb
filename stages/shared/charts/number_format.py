"""How numbers are written in tables and charts; "–" for None."""


def number(value: float | None, form: str) -> str:
    """Format a number by a format specification such as ".4f"."""
    return "–" if value is None else format(value, form)


def percent(share: float | None) -> str:
    """Format a share, 0-1, as per cent with two decimals."""
    return "–" if share is None else f"{100 * share:.2f} %"
