"""How the validators that a snapshot is asked of have behaved, so that who wastes time comes last.

A *lie* is proved: a chunk that is not the one named, or a whole that is not the certified state. Of
that height its giver is asked nothing more, and in all else it comes after those who never lied. A
*failure* proves nothing: what a validator named or gave came to nothing this time.
"""

from collections.abc import Iterable

from quorate.types.consensus import ValidatorSet, faulty_weight_max

Rank = tuple[bool, int, int, int]


class Standing:
    """Lies and failures of validators since this one started."""

    def __init__(self, validators: ValidatorSet) -> None:
        self.validators = validators
        self.excluded: dict[tuple[int, int], None] = {}  # height, peer
        self.lies: dict[int, int] = {}
        self.failures: dict[int, int] = {}

    def lied(self, height: int, peers: Iterable[int]) -> None:
        """Note a lie about a height."""
        for peer in peers:
            if (height, peer) not in self.excluded:
                self.excluded[height, peer] = None
                self.lies[peer] = self.lies.get(peer, 0) + 1

    def failed(self, peers: Iterable[int]) -> None:
        """Note a failure."""
        for peer in peers:
            self.failures[peer] = self.failures.get(peer, 0) + 1

    def sound(self, height: int, peers: Iterable[int]) -> list[int]:
        """Give those who are not known to lie about a height."""
        return [peer for peer in peers if (height, peer) not in self.excluded]

    def honest(self, peers: Iterable[int]) -> bool:
        """Say whether one of these never lied."""
        return any(not self.lies.get(peer) for peer in peers)

    def rank(self, peers: list[int]) -> Rank:
        """Say how good a thing is that these validators name; the greatest is tried first.

        What more than the malicious may weigh name is named by somebody honest. Then it counts how
        the best of them has behaved, then what they weigh.
        """
        weight = self.validators.weight_of(tuple(sorted(peers)))
        honest = weight > faulty_weight_max(self.validators.total)
        lies, failures = min(
            [(self.lies.get(peer, 0), self.failures.get(peer, 0)) for peer in peers]
        )
        return honest, -lies, -failures, weight
