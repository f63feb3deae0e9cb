"""Tables as the data of a chart."""

import altair
import pandas as pd


def inline_data(table: pd.DataFrame) -> altair.InlineData:
    """Return the rows of a table, floats rounded to 6 places, NaN as null."""
    # As text: Altair copies and checks lists of rows again and again.
    rows = table.to_json(orient="records", double_precision=6)
    return altair.InlineData(values=rows, format=altair.JsonDataFormat(type="json"))
