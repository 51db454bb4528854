"""What a claim may say to the translator. In plain Python each does what its name says."""

from typing import Any

import numpy as np


class Vacuous(Exception):
    """The premise of a claim does not hold for these inputs."""


def assume(holds: bool) -> bool:
    """Let a claim hold only where `holds`; in plain Python raises Vacuous where it does not."""
    if not holds:
        raise Vacuous
    return True


def shown(holds: bool) -> bool:
    """State a step of a proof: a goal of its own, and a fact for all that follows.

    It is shown from what is assumed before it, so that a step which needs little is asked little.
    """
    assert holds
    return True


def grid(rows: list[Any]) -> Any:
    """Make an array of rows, or of numbers, for a claim; exact, of Python's integers."""
    return np.array(rows, dtype=object)
