"""What a client sent, once admission has looked at it: into the pool, or a code for each item.

The same under every engine that has a pool in front of agreement.
"""

from collections.abc import Sequence
from typing import NamedTuple

from quorate.replica.mempool import OWN_CLIENTS, Bundle, Mempool, Outcome
from quorate.types.codes import Reject


class Sifted(NamedTuple):
    """Items of one request. codes: Reject of each; sound, places: the others and where they are."""

    codes: list[int]
    sound: list[Bundle]
    places: list[int]


def sifted(names: Sequence[bytes], found: Sequence[Bundle | Reject | None]) -> Sifted:
    """Tell sound items from others. names: their hashes; None: forgotten since we looked."""
    it = Sifted([0] * len(names), [], [])
    seen: dict[bytes, None] = {}
    for at, (name, bundle) in enumerate(zip(names, found, strict=True)):
        if isinstance(bundle, Reject):
            it.codes[at] = int(bundle)
        elif name in seen:
            it.codes[at] = int(Reject.NONCE_ALREADY_USED)
        elif bundle is None:
            it.codes[at] = int(Reject.BLOCK_FULL_SEND_LATER)  # a full pool forgets
        else:
            seen[name] = None
            it.sound.append(bundle)
            it.places.append(at)
    return it


def pooled(mempool: Mempool, it: Sifted) -> tuple[list[Bundle], list[bytes]]:
    """Let a client's sound bundles wait: what waits, and the items that are new to the pool.

    Writes into the codes why others do not.
    """
    waiting: list[Bundle] = []
    fresh: list[bytes] = []
    outcomes = mempool.add(it.sound, OWN_CLIENTS)
    for at, bundle, outcome in zip(it.places, it.sound, outcomes, strict=True):
        code = Reject.NONCE_ALREADY_USED if outcome == Outcome.FINAL else outcome.reject
        if code:
            it.codes[at] = int(code)
            continue
        waiting.append(bundle)
        if outcome == Outcome.ADDED:
            fresh.append(bundle.item)
    return waiting, fresh
