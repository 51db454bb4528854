"""Which client waits for which bundles, until a block says what became of them.

A request's bundles stay together on their way (mempool.py), so that nearly always one block holds
them all, one behind the other, and the ledger answers with their receipts. A leader may tear a
request apart: then the reply says FINALIZED with the height of its last bundle, and the receipts
are for the client to ask for. A bundle that expires has its own code; the others wait on.
"""

from collections.abc import Sequence

import numpy as np

from quorate.replica.messages import Level, Reply, Span
from quorate.replica.replica import refused
from quorate.types.codes import Reject


class Claim:
    """One request. codes: Reject of each item; hashes: of the sound ones, in order.

    height, time_ms: of the block that took the last of them so far.
    """

    __slots__ = ("client", "codes", "hashes", "height", "missing", "number", "time_ms")

    def __init__(
        self, client: int, number: int, codes: tuple[int, ...], hashes: tuple[bytes, ...]
    ) -> None:
        self.client = client
        self.number = number
        self.codes = codes
        self.hashes = hashes
        self.missing = len(dict.fromkeys(hashes))
        self.height = self.time_ms = 0

    def withdraw(self, name: bytes, code: Reject) -> None:
        """Give a bundle that will not be in a block any more the code of a refusal."""
        at = self.hashes.index(name)
        place = [index for index, known in enumerate(self.codes) if not known][at]
        self.codes = (*self.codes[:place], int(code), *self.codes[place + 1 :])
        self.hashes = (*self.hashes[:at], *self.hashes[at + 1 :])
        self.missing -= 1


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
                claim.height, claim.time_ms = height, time_ms
                if claim.missing:
                    continue
                first = index + 1 - len(claim.hashes)
                if first >= 0 and tuple(hashes[first : index + 1]) == claim.hashes:
                    spans.append(
                        Span(claim.client, claim.number, claim.codes, first, len(claim.hashes))
                    )
                else:
                    torn.append(finalized_reply(claim))
        return tuple(spans), torn

    def withdrawn(self, names: Sequence[bytes], code: Reject) -> list[Reply]:
        """Take bundles that will not be in a block; answer requests that wait for nothing more."""
        replies: list[Reply] = []
        for name in names:
            for claim in self.waiting.pop(name, ()):
                claim.withdraw(name, code)
                if claim.missing:
                    continue
                if claim.hashes:
                    replies.append(finalized_reply(claim))
                else:
                    replies.append(refused(Span(claim.client, claim.number, claim.codes, 0, 0)))
        return replies


def finalized_reply(claim: Claim) -> Reply:
    """Answer a request whose bundles are not one behind the other in one block."""
    nothing = np.zeros(0, np.int64)
    client, number, level = claim.client, claim.number, Level.FINALIZED
    height, time_ms = claim.height, claim.time_ms
    return Reply(client, number, level, height, time_ms, claim.codes, 0, 0, b"", nothing)
