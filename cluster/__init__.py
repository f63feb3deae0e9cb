"""Runs independent stages of a DVC pipeline at the same time, on one machine or on several."""

import importlib.util

from stages.shared.errors import UserError


def require_dask() -> None:
    """Raise UserError if Dask is not installed."""
    if importlib.util.find_spec("distributed") is None:
        raise UserError("stages at once need the package distributed; 'make cluster' installs it")
