"""Bundles that wait for a block: in the order in which they came, in parcels, under quotas.

A *parcel* is what one request held; a block takes it whole where a block can. A bundle stays until
its block is finalized, because a view may be skipped: `take` removes nothing, and is told which
bundles stand in blocks that are not final yet. What was verified out of a block without having
waited here is remembered too, so that no signature is recovered twice.

Quotas count by the address that signed and by the peer that sent, never by the account number,
which anybody can write into a bundle. Addresses are free to make; the quota of a source is what
bounds how much of the pool one malicious peer can fill.
"""

import struct
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from heapq import heapify, heappop, heappush
from typing import Any, Final, NamedTuple

import numpy as np

from quorate.admission.judge import AdmittedBlock
from quorate.codec.items import ITEM_HEAD
from quorate.types.blocks import Item
from quorate.types.codes import Reject
from quorate.types.limits import (
    BLOCK_BYTES_MAX,
    BUNDLE_BYTES_MAX,
    BUNDLES_PER_BLOCK_MAX,
    COMMAND_BYTES,
    COMMANDS_PER_BLOCK_MAX,
)
from quorate.types.records import ADMITTED

OWN_CLIENTS: Final = -1  # the source of what our own clients send
EXPIRY: Final = struct.Struct("<q")
EXPIRY_AT: Final = int(ADMITTED.fields["expiry_ms"][1])  # type: ignore[index]
ROW_BYTES: Final = ADMITTED.itemsize
HEAP_SLACK: Final = 1024


class Bundle(NamedTuple):
    """An admitted bundle. hash: of `item`, its canonical bytes with the signature.

    row: an ADMITTED row whose `first` is 0; commands: 64 bytes each; signer: 20 bytes.
    """

    hash: bytes
    item: bytes
    row: bytes
    commands: bytes
    signer: bytes


class Outcome(IntEnum):
    """What became of a bundle that was offered.

    WAITING and FINAL mean that it is known: a second client may wait for the same result.
    """

    ADDED = 0
    WAITING = 1
    FINAL = 2
    POOL_FULL = 3
    SIGNER_FULL = 4
    SOURCE_FULL = 5
    EXPIRED = 6

    @property
    def reject(self) -> Reject:
        """Give what a client is told; OK also for a bundle that is known."""
        return REJECTS[self]


REJECTS: Final = (
    Reject.OK,
    Reject.OK,
    Reject.OK,
    Reject.BLOCK_FULL_SEND_LATER,
    Reject.BLOCK_FULL_SEND_LATER,
    Reject.BLOCK_FULL_SEND_LATER,
    Reject.BUNDLE_EXPIRED_SIGN_AGAIN,
)
assert len(REJECTS) == len(Outcome)


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """Bounds in bundles and in bytes of items: of all that waits, of one signer, of one source.

    learned_bytes_max: items verified out of blocks. finalized_max: hashes remembered, so that
    late gossip does not bring them back.
    """

    bundles_max: int = 1 << 17
    bytes_max: int = 64 << 20
    signer_bundles_max: int = 1 << 13
    signer_bytes_max: int = 8 << 20
    source_bundles_max: int = 1 << 15
    source_bytes_max: int = 16 << 20
    learned_bytes_max: int = 64 << 20
    finalized_max: int = 1 << 17

    def __post_init__(self) -> None:
        # The largest bundle must find room, and one source must not be able to fill the pool.
        assert ITEM_HEAD.size + BUNDLE_BYTES_MAX <= self.signer_bytes_max
        assert self.signer_bytes_max <= self.source_bytes_max < self.bytes_max
        assert 0 < self.signer_bundles_max <= self.source_bundles_max < self.bundles_max
        assert self.learned_bytes_max >= 0 and self.finalized_max > 0


class _Parcel:
    """What one request held. It is only ever compared by identity."""

    __slots__ = ()


class _Slot:
    """A waiting bundle, in the list of all."""

    __slots__ = ("after", "before", "bundle", "parcel", "source")

    def __init__(self, bundle: Bundle, source: int, parcel: _Parcel, before: "_Slot | None"):
        self.bundle = bundle
        self.source = source
        self.parcel = parcel
        self.before = before
        self.after: _Slot | None = None


class _Held:
    """How much somebody has in the pool."""

    __slots__ = ("bundles", "size")

    def __init__(self) -> None:
        self.bundles = 0
        self.size = 0


class _Room:
    """What is left of a block's limits."""

    __slots__ = ("bundles", "commands", "size")

    def __init__(self, size: int) -> None:
        self.bundles = BUNDLES_PER_BLOCK_MAX
        self.commands = COMMANDS_PER_BLOCK_MAX * COMMAND_BYTES
        self.size = size

    def holds(self, bundles: int, commands: int, size: int) -> bool:
        """Say whether so much fits. commands: in bytes."""
        return bundles <= self.bundles and commands <= self.commands and size <= self.size

    def fill(self, bundles: int, commands: int, size: int) -> None:
        """Take up room."""
        self.bundles -= bundles
        self.commands -= commands
        self.size -= size


def item_hash(item: bytes) -> bytes:
    """Give the SHA-256 of an item's canonical bytes: kind, length, and data with its signature."""
    return sha256(item).digest()


def bundles_of(items: Sequence[Item], admitted: AdmittedBlock) -> list[Bundle | Reject]:
    """Pair items with what admission found: a bundle each, or the code of the refusal."""
    firsts, counts = admitted.rows["first"].tolist(), admitted.rows["count"].tolist()
    rows = admitted.rows.copy()
    rows["first"] = 0
    row_bytes, commands = rows.tobytes(), admitted.commands.tobytes()
    codes, pack = admitted.codes.tolist(), ITEM_HEAD.pack
    found: list[Bundle | Reject] = []
    at = 0
    for item, code, first, count in zip(items, codes, firsts, counts, strict=True):
        if code:
            found.append(Reject(code))
        else:
            data = pack(item.kind, len(item.data)) + item.data
            row = row_bytes[at : at + ROW_BYTES]
            first *= COMMAND_BYTES
            body = commands[first : first + count * COMMAND_BYTES]
            found.append(Bundle(sha256(data).digest(), data, row, body, row[:20]))
        at += ROW_BYTES
    return found


def laid_out(bundles: Sequence[Bundle]) -> tuple[Any, Any]:
    """Lay a block's bundles out for execution: ADMITTED[n], uint8[m, 64]."""
    rows = np.frombuffer(bytearray(b"".join([bundle.row for bundle in bundles])), ADMITTED)
    counts = rows["count"].astype(np.int64)
    rows["first"] = np.cumsum(counts) - counts
    octets = bytearray(b"".join([bundle.commands for bundle in bundles]))
    return rows, np.frombuffer(octets, np.uint8).reshape(-1, COMMAND_BYTES)


class Mempool:
    """What waits for a block, what was verified, and what was finalized lately."""

    def __init__(self, limits: PoolLimits) -> None:
        self.limits = limits
        self.waiting: dict[bytes, _Slot] = {}
        self.head: _Slot | None = None
        self.tail: _Slot | None = None
        self.bytes_held = 0
        self.signers: dict[bytes, _Held] = {}
        self.sources: dict[int, _Held] = {}
        self.expiries: list[tuple[int, bytes]] = []
        self.time_ms = 0
        self.learned: OrderedDict[bytes, Bundle] = OrderedDict()
        self.learned_bytes = 0
        self.recent: set[bytes] = set()
        self.recent_order: deque[bytes] = deque()

    def __len__(self) -> int:
        return len(self.waiting)

    # --- in ---------------------------------------------------------------------------------------
    def add(self, bundles: Sequence[Bundle], source: int) -> list[Outcome]:
        """Let the bundles of one request wait together. source: a peer's index or OWN_CLIENTS."""
        parcel = _Parcel()
        held = self.sources.get(source)
        if held is None:
            held = self.sources[source] = _Held()
        outcomes = [self.place(bundle, source, held, parcel) for bundle in bundles]
        if not held.bundles:
            del self.sources[source]
        return outcomes

    def place(self, bundle: Bundle, source: int, held: _Held, parcel: _Parcel) -> Outcome:
        """Let one bundle wait, or say why not. held: the source's."""
        name, size, limits = bundle.hash, len(bundle.item), self.limits
        if name in self.waiting:
            return Outcome.WAITING
        if name in self.recent:
            return Outcome.FINAL
        (expiry_ms,) = EXPIRY.unpack_from(bundle.row, EXPIRY_AT)
        if expiry_ms and expiry_ms <= self.time_ms:
            return Outcome.EXPIRED
        if held.bundles >= limits.source_bundles_max or held.size + size > limits.source_bytes_max:
            return Outcome.SOURCE_FULL
        signer = self.signers.get(bundle.signer)
        if signer is not None and (
            signer.bundles >= limits.signer_bundles_max
            or signer.size + size > limits.signer_bytes_max
        ):
            return Outcome.SIGNER_FULL
        if len(self.waiting) >= limits.bundles_max or self.bytes_held + size > limits.bytes_max:
            return Outcome.POOL_FULL
        if signer is None:
            signer = self.signers[bundle.signer] = _Held()
        for owner in (held, signer):
            owner.bundles += 1
            owner.size += size
        if name in self.learned:
            self.learned_bytes -= len(self.learned.pop(name).item)
        self.bytes_held += size
        slot = self.waiting[name] = _Slot(bundle, source, parcel, self.tail)
        if self.tail is None:
            self.head = slot
        else:
            self.tail.after = slot
        self.tail = slot
        if expiry_ms:
            heappush(self.expiries, (expiry_ms, name))
        return Outcome.ADDED

    def learn(self, bundles: Iterable[Bundle]) -> None:
        """Remember bundles that were verified out of a block; the oldest are forgotten first."""
        for bundle in bundles:
            name = bundle.hash
            if name not in self.waiting and name not in self.learned:
                self.learned[name] = bundle
                self.learned_bytes += len(bundle.item)
        while self.learned_bytes > self.limits.learned_bytes_max:
            self.learned_bytes -= len(self.learned.popitem(last=False)[1].item)

    def verified(self, name: bytes) -> Bundle | None:
        """Give the bundle with this hash if its signature was recovered before."""
        slot = self.waiting.get(name)
        return self.learned.get(name) if slot is None else slot.bundle

    # --- out --------------------------------------------------------------------------------------
    def take(self, bytes_max: int, excluded: Callable[[bytes], bool]) -> list[Bundle]:
        """Choose the bundles of the next block, in the order in which they came; none is removed.

        excluded: asked with a hash whether it stands in a block that is not final yet. A parcel
        comes whole or waits, unless no block could hold it. Where anything waits, at least one
        bundle comes, even one larger than bytes_max. The cost is that of a block or two and of
        what is excluded.
        """
        limit = min(bytes_max, BLOCK_BYTES_MAX)
        room, whole = _Room(limit), _Room(limit)
        taken: list[Bundle] = []
        slot = self.head
        while slot is not None:
            parcel, group = slot.parcel, []
            commands = size = 0
            fits = True
            while slot is not None and slot.parcel is parcel:
                bundle = slot.bundle
                if not excluded(bundle.hash):
                    group.append(bundle)
                    commands += len(bundle.commands)
                    size += len(bundle.item)
                    if not whole.holds(len(group), commands, size):
                        fits = False
                        break
                slot = slot.after
            if not fits:
                return taken + fitting(group, room, not taken)
            if not room.holds(len(group), commands, size):
                return taken
            room.fill(len(group), commands, size)
            taken += group
        return taken

    def fresh(self, excluded: Callable[[bytes], bool]) -> bool:
        """Say whether anything waits that is not excluded; the newest is the likeliest."""
        slot = self.tail
        while slot is not None:
            if not excluded(slot.bundle.hash):
                return True
            slot = slot.before
        return False

    def finalized(self, names: Iterable[bytes]) -> int:
        """Remove what is in a finalized block and remember its hashes; say how many waited."""
        before = len(self.waiting)
        recent, order, bound = self.recent, self.recent_order, self.limits.finalized_max
        for name in names:
            slot = self.waiting.pop(name, None)
            if slot is not None:
                self.unlink(slot)
            elif name in self.learned:
                self.learned_bytes -= len(self.learned.pop(name).item)
            if name not in recent:
                recent.add(name)
                order.append(name)
                if len(order) > bound:
                    recent.discard(order.popleft())
        return before - len(self.waiting)

    def dropped(self, names: Iterable[bytes]) -> None:
        """Remove what will not be in a block, and forget it: it may be sent again."""
        for name in names:
            slot = self.waiting.pop(name, None)
            if slot is not None:
                self.unlink(slot)

    def forgotten(self, names: Iterable[bytes]) -> None:
        """Take hashes of a finalized block off those remembered."""
        self.recent.difference_update(names)

    def expired(self, block_time_ms: int) -> list[Bundle]:
        """Remove and give what no block from this time on can execute; refuse such from now on."""
        self.time_ms = max(self.time_ms, block_time_ms)
        gone: list[Bundle] = []
        while self.expiries and self.expiries[0][0] <= self.time_ms:
            slot = self.waiting.pop(heappop(self.expiries)[1], None)
            if slot is not None:
                self.unlink(slot)
                gone.append(slot.bundle)
        if len(self.expiries) > 2 * len(self.waiting) + HEAP_SLACK:
            self.expiries = [entry for entry in self.expiries if entry[1] in self.waiting]
            heapify(self.expiries)
        return gone

    # --- bookkeeping ------------------------------------------------------------------------------
    def unlink(self, slot: _Slot) -> None:
        """Take a slot out of the list, and off the quotas."""
        before, after = slot.before, slot.after
        if before is None:
            self.head = after
        else:
            before.after = after
        if after is None:
            self.tail = before
        else:
            after.before = before
        size, signer = len(slot.bundle.item), slot.bundle.signer
        self.bytes_held -= size
        held = self.sources[slot.source]
        held.bundles -= 1
        held.size -= size
        if not held.bundles:
            del self.sources[slot.source]
        held = self.signers[signer]
        held.bundles -= 1
        held.size -= size
        if not held.bundles:
            del self.signers[signer]


def fitting(group: list[Bundle], room: _Room, one_at_least: bool) -> list[Bundle]:
    """Give as many of a parcel that no block can hold as there is room for."""
    commands = size = 0
    for count, bundle in enumerate(group):
        commands += len(bundle.commands)
        size += len(bundle.item)
        if not room.holds(count + 1, commands, size):
            return group[: max(count, 1)] if one_at_least else group[:count]
    return group
