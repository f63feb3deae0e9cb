"""Whether the declared nets can be trained in the memory at hand."""

from collections.abc import Mapping

from stages.building.memory import check_memory
from stages.console import UserError
from stages.params.nets import Net


def check_sizes(nets: Mapping[str, Net], *, rows: int, image_size: tuple[int, int], classes: int) -> None:
    """Refuse nets too large for the memory that is available, before any is made.

    Parameters
    ----------
    nets : mapping of str to Net
        What params.yaml declares.
    rows : int
        Number of training images.
    image_size : tuple of int
        Their height and width, in pixels.
    classes : int
        Number of classes.

    Raises
    ------
    UserError
        What `check_memory` says of each, one a line.
    """
    height, width = image_size
    mistakes = []
    for name, net in nets.items():
        try:
            check_memory(name, net, rows=rows, height=height, width=width, classes=classes)
        except UserError as error:
            mistakes.append(str(error))
    if mistakes:
        raise UserError("\n".join(mistakes))
