"""Quorums and leaders, counted by hand."""

from collections.abc import Sequence


def is_quorum(weight: int, total: int) -> bool:
    """Say whether a weight is more than two thirds of all."""
    return 3 * weight > 2 * total


def is_tolerable(weight: int, total: int) -> bool:
    """Say whether a weight is less than a third of all: so much may be malicious."""
    return 3 * weight < total


def leaders(weights: Sequence[int]) -> list[int]:
    """List who leads the views 0, 1, 2 ... of one period.

    In every view each validator gains its weight; the richest leads, the first of equals, and
    pays the weight of all.
    """
    common = max(
        divisor
        for divisor in range(1, min(weights) + 1)
        if all(weight % divisor == 0 for weight in weights)
    )
    period = sum(weights) // common
    purse = [0] * len(weights)
    order = []
    for _ in range(period):
        for index, weight in enumerate(weights):
            purse[index] += weight // common
        richest = purse.index(max(purse))
        purse[richest] -= period
        order.append(richest)
    return order
