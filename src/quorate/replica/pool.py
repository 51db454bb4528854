"""Admitted batches that wait for a block. No bundle stands in the pool twice."""

from collections import deque
from dataclasses import replace

import numpy as np

from quorate.replica.messages import Batch, Span
from quorate.replica.records import FRAME_BYTES
from quorate.types.codes import Reject
from quorate.types.limits import (
    BLOCK_BYTES_MAX,
    BUNDLES_PER_BLOCK_MAX,
    COMMAND_BYTES,
    COMMANDS_PER_BLOCK_MAX,
)


class Pool:
    """Batches in the order in which they were judged."""

    def __init__(self) -> None:
        self.waiting: deque[Batch] = deque()
        self.known: deque[frozenset[bytes]] = deque()

    def __len__(self) -> int:
        return len(self.waiting)

    def add(self, batch: Batch) -> None:
        """Let a batch wait."""
        self.waiting.append(batch)
        self.known.append(frozenset(batch.digests))

    def take(self) -> list[Batch]:
        """Take the batches from the front that fit in one block; at least one."""
        taken: list[Batch] = []
        bundles = commands = size = 0
        while self.waiting:
            batch = self.waiting[0]
            bundles += len(batch.rows)
            commands += len(batch.commands)
            size += len(batch.items)
            full = (
                bundles > BUNDLES_PER_BLOCK_MAX
                or commands > COMMANDS_PER_BLOCK_MAX
                or size > BLOCK_BYTES_MAX
            )
            if full and taken:
                break
            taken.append(self.waiting.popleft())
            self.known.popleft()
        return taken

    def without_known(self, batch: Batch) -> Batch:
        """Leave out the bundles that the batch has twice or that wait already.

        They are told that their nonce is used, as they would be one block later. The digest does
        not cover the signature, so another key with the same words is another bundle.
        """
        digests = frozenset(batch.digests)
        fresh = all(known.isdisjoint(digests) for known in self.known)
        if fresh and len(digests) == len(batch.digests):
            return batch
        seen = {
            name for waiting in self.waiting for name in names_of(waiting)
        }
        kept: list[int] = []
        for index, name in enumerate(names_of(batch)):
            if name not in seen:
                seen.add(name)
                kept.append(index)
        return thinned(batch, kept)


def names_of(batch: Batch) -> list[tuple[bytes, bytes]]:
    """Give the signer and the digest of each bundle."""
    signers = [signer.tobytes() for signer in batch.rows["signer"]]
    return list(zip(signers, batch.digests, strict=True))


def thinned(batch: Batch, kept: list[int]) -> Batch:
    """Keep only the bundles at `kept`, ascending; the others' code says that the nonce is used."""
    if len(kept) == len(batch.digests):
        return batch
    sizes = FRAME_BYTES + COMMAND_BYTES * batch.rows["count"]
    ends = np.cumsum(sizes).tolist()
    items = b"".join([batch.items[ends[at] - int(sizes[at]) : ends[at]] for at in kept])
    stays = np.zeros(len(batch.digests), bool)
    stays[kept] = True
    before = np.concatenate([[0], np.cumsum(stays)]).tolist()
    spans = tuple(thinned_span(span, stays.tolist(), before) for span in batch.spans)
    digests = tuple(batch.digests[at] for at in kept)
    return Batch(spans, items, batch.rows[stays], batch.commands, digests)


def thinned_span(span: Span, stays: list[bool], before: list[int]) -> Span:
    """Move a span to where its bundles stand now."""
    codes = list(span.codes)
    row = span.first
    for index, code in enumerate(codes):
        if code == Reject.OK:
            if not stays[row]:
                codes[index] = int(Reject.NONCE_ALREADY_USED)
            row += 1
    first = before[span.first]
    return replace(span, codes=tuple(codes), first=first, count=before[row] - first)
