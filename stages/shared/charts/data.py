"""Tables as the data of a chart."""

import json

import altair
import pandas as pd


def inline_data(table: pd.DataFrame) -> altair.InlineData:
    """Return the rows of a table, floats rounded to 6 places, NaN as null."""
    return altair.InlineData(values=json.loads(table.to_json(orient="records", double_precision=6)))
