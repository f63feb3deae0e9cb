"""How params.yaml declares an object of a library: its class and settings, in the library's own words."""

from typing import Any

from pydantic import ConfigDict, Field

from stages.shared.params.settings import Settings


class Declared(Settings):
    """A class and its settings.

    Attributes
    ----------
    class_ : str
        Name of the class; `class` in the file.
    """

    model_config = ConfigDict(extra="allow")

    class_: str = Field(alias="class")

    @property
    def settings(self) -> dict[str, Any]:
        """The class's arguments, as the file gives them."""
        return dict(self.model_extra or {})
