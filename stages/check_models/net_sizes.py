"""Whether the declared nets can be trained in the memory at hand."""

from collections.abc import Mapping

from stages.shared.models.memory_estimate import check_memory
from stages.shared.params.mistakes import DeclarationError, Mistake
from stages.shared.params.nets_section import Net


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
    DeclarationError
        What `check_memory` says of each.
    """
    height, width = image_size
    mistakes: list[Mistake] = []
    for name, net in nets.items():
        try:
            check_memory(name, net, rows=rows, height=height, width=width, classes=classes)
        except DeclarationError as error:
            mistakes += error.mistakes
    if mistakes:
        raise DeclarationError(*mistakes)
