"""Declaration of an object of a library by its class and settings."""

from typing import Any

from pydantic import ConfigDict, Field

from stages.shared.params.settings import Settings


class Declared(Settings):
    """The class and settings of an object of a library, as the library names them."""

    model_config = ConfigDict(extra="allow")

    class_: str = Field(alias="class")
    """Name of the class."""

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments of the class, as the file gives them."""
        return dict(self.model_extra or {})
