"""What waits for admission: a bounded queue in front of it, and the batch that comes out.

`Intake` is bookkeeping for the thread that talks to clients. One batch at a time is with admission;
meanwhile the next one gathers, so that a batch is as large as the load makes it.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quorate.admission import Chain, admit_block
from quorate.codec.items import ITEM_HEAD, decode_items, encode_items
from quorate.crypto.signatures import MapCall
from quorate.replica.messages import Batch, Request, Span
from quorate.types.blocks import Item
from quorate.types.codes import Reject
from quorate.types.limits import (
    BLOCK_BYTES_MAX,
    BUNDLE_HEADER_BYTES,
    BUNDLES_PER_BLOCK_MAX,
    COMMAND_BYTES,
    COMMANDS_PER_BLOCK_MAX,
    SIGNATURE_BYTES,
)

ITEM_BYTES_MIN = ITEM_HEAD.size + BUNDLE_HEADER_BYTES + COMMAND_BYTES + SIGNATURE_BYTES
BATCH_BYTES_MAX = min(
    BLOCK_BYTES_MAX,
    # However the bytes split into items, one block holds as many items and commands.
    BUNDLES_PER_BLOCK_MAX * ITEM_BYTES_MIN,
    COMMANDS_PER_BLOCK_MAX * COMMAND_BYTES,
)


@dataclass(frozen=True, slots=True)
class Limits:
    """bytes_max: of requests that are queued or in a batch; batch_bytes_max: of one batch."""

    bytes_max: int = 8 * BATCH_BYTES_MAX
    batch_bytes_max: int = BATCH_BYTES_MAX


class Intake:
    """Requests in the order in which they came."""

    def __init__(self, limits: Limits) -> None:
        assert 0 < limits.batch_bytes_max <= min(BATCH_BYTES_MAX, limits.bytes_max)
        self.limits = limits
        self.waiting: deque[Request] = deque()
        self.bytes_held = 0

    def offer(self, request: Request) -> Reject:
        """Queue a request, or say why not; OK means queued."""
        size = len(request.data)
        if size == 0:
            return Reject.LENGTH_MUST_MATCH_COUNT
        if size > self.limits.batch_bytes_max or self.bytes_held + size > self.limits.bytes_max:
            return Reject.BLOCK_FULL_SEND_LATER
        self.waiting.append(request)
        self.bytes_held += size
        return Reject.OK

    def take(self) -> tuple[Request, ...]:
        """Take what fits in one batch, from the front."""
        taken: list[Request] = []
        room = self.limits.batch_bytes_max
        while self.waiting and len(self.waiting[0].data) <= room:
            request = self.waiting.popleft()
            room -= len(request.data)
            taken.append(request)
        return tuple(taken)

    def release(self, size: int) -> None:
        """Say that requests of `size` bytes have been answered."""
        self.bytes_held -= size
        assert self.bytes_held >= 0


def judged(requests: Sequence[Request], chain: Chain, map_call: MapCall = map) -> Batch:
    """Run admission over requests: decode, limits, signatures. Stateless."""
    items: list[Item] = []
    ends: list[int] = []
    refusals: list[Reject] = []
    for request in requests:
        found = decode_items(request.data)
        if isinstance(found, Reject):
            refusals.append(found)
        else:
            refusals.append(Reject.OK)
            items.extend(found)
        ends.append(len(items))
    block = admit_block(items, chain, map_call)
    sound = block.codes == Reject.OK
    before = np.concatenate([[0], np.cumsum(sound)]).tolist()
    codes = block.codes.tolist()
    spans: list[Span] = []
    start = 0
    for request, end, refusal in zip(requests, ends, refusals, strict=True):
        first, count = before[start], before[end] - before[start]
        span_codes = tuple(codes[start:end])
        spans.append(Span(request.client, request.number, span_codes, first, count, refusal))
        start = end
    if block.is_sound() and not any(refusals):
        data = b"".join([request.data for request in requests])
        return Batch(tuple(spans), data, block.rows, block.commands, tuple(block.digests))
    kept = np.flatnonzero(sound).tolist()
    return Batch(
        tuple(spans),
        encode_items(items[index] for index in kept),
        block.rows[sound],
        block.commands,
        tuple(block.digests[index] for index in kept),
    )
