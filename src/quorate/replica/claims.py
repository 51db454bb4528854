"""Which client waits for which bundles, until a block says what became of them.

A request's bundles stay together on their way (mempool.py), so that nearly always one block holds
them all, one behind the other, and the ledger answers with their receipts. A leader may tear a
request apart: then the reply says FINALIZED with the height of its last bundle, and the receipts
are for the client to ask for.
"""

from collections.abc import Sequence

import numpy as np

from quorate.replica.messages import Level, Reply, Span


class Claim:
    """One request. codes: Reject of each item; hashes: of the sound ones, in order."""

    __slots__ = ("client", "codes", "hashes", "missing", "number")

    def __init__(
        self, client: int, number: int, codes: tuple[int, ...], hashes: tuple[bytes, ...]
    ) -> None:
        self.client = client
        self.number = number
        self.codes = codes
        self.hashes = hashes
        self.missing = len(dict.fromkeys(hashes))


class Claims:
    """Requests that wait, by the hash of each bundle."""

    def __init__(self) -> None:
        self.waiting: dict[bytes, list[Claim]] = {}

    def add(self, claim: Claim) -> None:
        """Wait for a request's sound bundles."""
        for name in dict.fromkeys(claim.hashes):
            self.waiting.setdefault(name, []).append(claim)

    def delivered(
        self, hashes: Sequence[bytes], height: int, time_ms: int
    ) -> tuple[tuple[Span, ...], list[Reply]]:
        """Take what waited for a block's bundles: spans for the ledger, or replies to the torn."""
        spans: list[Span] = []
        torn: list[Reply] = []
        if not self.waiting:
            return (), torn
        for index, name in enumerate(hashes):
            for claim in self.waiting.pop(name, ()):
                claim.missing -= 1
                if claim.missing:
                    continue
                first = index + 1 - len(claim.hashes)
                if first >= 0 and tuple(hashes[first : index + 1]) == claim.hashes:
                    spans.append(
                        Span(claim.client, claim.number, claim.codes, first, len(claim.hashes))
                    )
                else:
                    torn.append(finalized_reply(claim, height, time_ms))
        return tuple(spans), torn

    def withdrawn(self, names: Sequence[bytes]) -> list[Claim]:
        """Take the requests of bundles that will not be in a block any more."""
        found: dict[int, Claim] = {}
        for name in names:
            for claim in self.waiting.pop(name, ()):
                found[len(found)] = claim
        distinct: list[Claim] = []
        for claim in found.values():
            if not any(claim is other for other in distinct):
                distinct.append(claim)
                for name in claim.hashes:
                    left = [other for other in self.waiting.get(name, ()) if other is not claim]
                    if left:
                        self.waiting[name] = left
                    else:
                        self.waiting.pop(name, None)
        return distinct


def finalized_reply(claim: Claim, height: int, time_ms: int) -> Reply:
    """Answer a request whose bundles are not one behind the other in one block."""
    nothing = np.zeros(0, np.int64)
    client, number, level = claim.client, claim.number, Level.FINALIZED
    return Reply(client, number, level, height, time_ms, claim.codes, 0, 0, b"", nothing)
