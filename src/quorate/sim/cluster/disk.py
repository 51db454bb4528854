"""A disk that forgets: what was written but not synced may be there after a crash, or not.

It executes the operations of `quorate.storage.writer`. Bytes are kept by sector, twice: `current`
is what is read, `durable` what survives a crash for certain. A crash decides for each sector that
changed since the last sync: the old bytes, the new ones, the first half of the new ones, or noise.
A sync covers what was written before it began, not what is written while the disk works.
"""

from random import Random
from typing import Any, Final

from quorate.storage.log import SECTOR_BYTES
from quorate.storage.writer import Create, Operation, Sync, Write

OLD, NEW, HALF, NOISE = range(4)
ZEROS: Final = bytes(SECTOR_BYTES)

Place = tuple[int, int]


class Disk:
    """Sectors by (segment, number). sizes: bytes of each segment file."""

    def __init__(self) -> None:
        self.sizes: dict[int, int] = {}
        self.durable: dict[Place, bytes] = {}
        self.current: dict[Place, bytearray] = {}
        self.dirty: dict[Place, None] = {}
        self.syncing: dict[Place, None] = {}

    def execute(self, operation: Operation) -> None:
        """Do one operation, whole."""
        if isinstance(operation, Write):
            self.write(operation.segment, operation.offset, operation.data)
        elif isinstance(operation, Sync):
            self.sync_begin()
            self.sync_end()
        else:
            assert isinstance(operation, Create) and operation.segment not in self.sizes
            assert len(operation.head) == SECTOR_BYTES
            self.sizes[operation.segment] = operation.segment_bytes
            self.durable[operation.segment, 0] = operation.head
            self.current[operation.segment, 0] = bytearray(operation.head)

    def write(self, segment: int, offset: int, data: bytes) -> None:
        """Change sectors that are not durable yet."""
        assert 0 < len(data) <= self.sizes[segment] - offset
        sector, within = divmod(offset, SECTOR_BYTES)
        at, size = 0, len(data)
        while at < size:
            end = min(size, at + SECTOR_BYTES - within)
            place = (segment, sector)
            held = self.current.get(place)
            if held is None:
                held = self.current[place] = bytearray(SECTOR_BYTES)
            held[within : within + end - at] = data[at:end]
            self.dirty[place] = None
            at = end
            sector, within = sector + 1, 0

    def sync_begin(self) -> None:
        """Begin to make durable what has been written so far."""
        self.syncing |= self.dirty
        self.dirty = {}

    def sync_end(self) -> None:
        """End it."""
        for place in self.syncing:
            self.durable[place] = bytes(self.current[place])
        self.syncing = {}

    def crash(self, rng: Random) -> None:
        """Lose power: decide the fate of each sector that was not synced."""
        places = sorted({**self.syncing, **self.dirty})
        shape = rng.getrandbits(2)
        kept = rng.randrange(len(places) + 1)
        for number, place in enumerate(places):
            if shape == 0:
                fate = OLD
            elif shape == 1:
                fate = NEW if number < kept else OLD
            else:
                fate = rng.randrange(4)
            self.settle(place, fate, rng)
        self.current = {place: bytearray(data) for place, data in self.durable.items()}
        self.dirty, self.syncing = {}, {}

    def settle(self, place: Place, fate: int, rng: Random) -> None:
        """Decide what is left of one sector."""
        if fate == NEW:
            self.durable[place] = bytes(self.current[place])
        elif fate == HALF:
            half = SECTOR_BYTES // 2
            old = self.durable.get(place, ZEROS)
            self.durable[place] = bytes(self.current[place][:half]) + old[half:]
        elif fate == NOISE:
            self.durable[place] = rng.randbytes(SECTOR_BYTES)

    def rot(self, rng: Random) -> bool:
        """Flip one bit of what was synced; say whether there was any."""
        places = sorted(self.durable)
        if not places:
            return False
        place = places[rng.randrange(len(places))]
        bit = rng.randrange(8 * SECTOR_BYTES)
        data = bytearray(self.durable[place])
        data[bit >> 3] ^= 1 << (bit & 7)
        self.durable[place] = bytes(data)
        if place not in self.dirty and place not in self.syncing:
            self.current[place] = data
        return True

    def remove(self, segment: int) -> None:
        """Delete a segment file."""
        del self.sizes[segment]
        kept: tuple[dict[Place, Any], ...]
        kept = (self.durable, self.current, self.dirty, self.syncing)
        for sectors in kept:
            for place in [known for known in sectors if known[0] == segment]:
                del sectors[place]

    def image(self, segment: int) -> bytes:
        """Read a whole segment file."""
        count = self.sizes[segment] // SECTOR_BYTES
        current = self.current
        return b"".join([current.get((segment, sector), ZEROS) for sector in range(count)])
