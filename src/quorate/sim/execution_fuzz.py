"""Spec and kernels in lockstep over seeded worlds: same events, same state, same dirty rows.

After every block the events and the whole state are compared byte for byte, every row that changed
must carry the kernel's dirty flag (else an incremental root would be wrong), and the state must
satisfy an independent checker. Now and then the kernels are rebuilt from the image with other
secrets and must go on alike (restore equals replay), and their derived arrays are squeezed, so
that they have to grow in the middle of a block.
"""

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from quorate.codec.commands import decode_commands
from quorate.execution.image import Image, same, tail_bytes
from quorate.execution.kernels.state import NONCE_CELLS, POSITION_CELLS
from quorate.execution.machine import KernelMachine, SpecMachine, genesis_image
from quorate.sim.execution_checker import faults
from quorate.sim.execution_world import Block, World, without
from quorate.types.codes import EventKind, Reject
from quorate.types.events import EVENT_READINGS
from quorate.types.records import Table

BLOCKS_PER_WORLD: Final = 60
TRIES_MAX: Final = 40
SECRET_BELOW: Final = 2**31 - 1


class Disagreement(Exception):
    """Where spec and kernels, or a state and the checker, part. `block` is None before any."""

    def __init__(self, what: str, detail: str = "") -> None:
        super().__init__(what)
        self.what, self.detail = what, detail


# What a step raises when something is wrong: a difference, or a rule that broke.
BROKEN: Final = (
    Disagreement, AssertionError, ArithmeticError, LookupError, ValueError, struct.error
)  # fmt: skip


@dataclass(slots=True)
class Tally:
    """What a run has covered."""

    worlds: int = 0
    blocks: int = 0
    commands: int = 0
    codes: dict[int, int] = field(default_factory=dict)
    kinds: dict[int, int] = field(default_factory=dict)
    ends: dict[int, int] = field(default_factory=dict)


def secrets_drawn(rng: random.Random) -> Any:
    """int64[8] for the kernels' hash maps."""
    return np.array([rng.randrange(1, SECRET_BELOW) for _ in range(8)], np.int64)


class Lockstep:
    """Both machines from one image."""

    def __init__(self, image: Image, rng: random.Random) -> None:
        self.rng = rng
        self.spec = SpecMachine(image)
        self.kernel = KernelMachine(image, secrets_drawn(rng))
        self.shadow: KernelMachine | None = None
        self.checks = True  # whether the independent checker judges each state
        self.before = image

    def step(self, block: Block, tally: Tally | None = None) -> Any:
        """Run a block on both and give its events; raise Disagreement."""
        digest, root = self.rng.randbytes(32), self.rng.randbytes(32)
        events = run_sealed(self.spec, block, digest, root)
        found = run_sealed(self.kernel, block, digest, root)
        differs(events, found, "kernels")
        after = self.spec.image()
        image_differs(after, self.kernel.image(), "kernels")
        missing = flags_missing(self.before, after, self.kernel.dirty())
        if missing:
            raise Disagreement("a row changed without its dirty flag", "\n".join(missing))
        if self.shadow is not None:
            differs(events, run_sealed(self.shadow, block, digest, root), "restored kernels")
            image_differs(after, self.shadow.image(), "restored kernels")
            self.shadow.dirty()
        wrong = faults(after, block.time_ms) if self.checks else []
        if wrong:
            raise Disagreement("the state contradicts itself", "\n".join(wrong[:12]))
        self.before = after
        if tally is not None:
            count(tally, block, events)
        return events

    def vary(self) -> None:
        """Between blocks: restore, or squeeze what is derived."""
        draw = self.rng.random()
        if draw < 0.12:
            if self.shadow is not None:
                self.kernel, self.shadow = self.shadow, None
            else:
                self.shadow = KernelMachine(self.before, secrets_drawn(self.rng))
        elif draw < 0.25:
            squeeze(self.kernel, self.rng)


def run_sealed(machine: Any, block: Block, digest: bytes, root: bytes) -> Any:
    """Events of a block, its chain row written."""
    events = machine.run(block.height, block.time_ms, block.bundles, block.commands)
    machine.seal(digest, root)
    return events


def squeeze(machine: KernelMachine, rng: random.Random) -> None:
    """Leave the kernel's derived arrays no room, so that it must stop, grow and go on."""
    s = machine.s
    live = int(s.ledger[0]["orders_live"])
    s.core[0]["map_mask"] = (1 << live.bit_length()) - 1  # doubled at once, it has just room
    machine.indexes.maps_grow(s)
    s.positions_free[-1] = max(s.positions_free[-1], POSITION_CELLS - 129 - rng.randrange(4))
    s.nonces_free[-1] = max(s.nonces_free[-1], NONCE_CELLS - 17 - rng.randrange(4))


# --- comparing -----------------------------------------------------------------------------------
def event_words(event: Any) -> str:
    """An event as its fields that are not zero."""
    kind = EventKind(int(event["kind"]))
    if kind.name in EVENT_READINGS:
        event = np.frombuffer(event.tobytes(), EVENT_READINGS[kind.name])[0]
    values = {name: event[name].item() for name in event.dtype.names if event[name]}
    values["kind"] = kind.name
    if event["code"] and (kind < EventKind.INDEXED or kind == EventKind.TRIGGERED):
        values["code"] = Reject(int(event["code"])).name
    return " ".join(f"{name}={value}" for name, value in values.items())


def differs(events: Any, found: Any, who: str) -> None:
    """Raise where two lists of events part."""
    if events.tobytes() == found.tobytes():
        return
    for k in range(max(len(events), len(found))):
        one = event_words(events[k]) if k < len(events) else "nothing"
        other = event_words(found[k]) if k < len(found) else "nothing"
        if one != other or events[k].tobytes() != found[k].tobytes():
            raise Disagreement(f"event {k} differs", f"spec:    {one}\n{who}: {other}")
    raise Disagreement("events differ in padding")


def image_differs(image: Image, found: Image, who: str) -> None:
    """Raise where two states part."""
    if same(image, found):
        return
    lines = []
    for one, other in zip(image, found, strict=True):
        if len(one.rows) != len(other.rows):
            lines.append(f"{one.table.name}: spec {len(one.rows)} rows, {who} {len(other.rows)}")
            continue
        for slot in range(len(one.rows)):
            a, b = one.rows[slot], other.rows[slot]
            for name in a.dtype.names if a.tobytes() != b.tobytes() else ():
                if a[name].tobytes() != b[name].tobytes():
                    lines.append(f"{one.table.name} {slot} {name}: spec {a[name]}, {who} {b[name]}")
        if one.tail != other.tail:
            lines.append(f"{one.table.name}: the tails differ")
    raise Disagreement("the states differ", "\n".join(lines[:12]))


def flags_missing(before: Image, after: Image, dirty: dict[Table, Any]) -> list[str]:
    """Rows that changed from one image to the next and that `dirty` does not name."""
    found: list[str] = []
    for old, new in zip(before, after, strict=True):
        width, count = new.rows.dtype.itemsize, len(old.rows)
        a = np.frombuffer(old.rows.tobytes(), np.uint8).reshape(-1, width)
        b = np.frombuffer(new.rows.tobytes(), np.uint8).reshape(-1, width)
        changed = np.ones(len(new.rows), bool)
        changed[:count] = (a != b[:count]).any(axis=1)
        if old.tail != new.tail:
            tails_old, tails_new = tails(old), tails(new)
            for slot in range(count):
                changed[slot] |= tails_old[slot] != tails_new[slot]
        changed[dirty[new.table]] = False
        found.extend(f"{new.table.name} {slot}" for slot in np.flatnonzero(changed))
    return found


def tails(part: Any) -> list[bytes]:
    """The tail of each row."""
    sizes = tail_bytes(part.table, part.rows)
    ends = np.cumsum(sizes)
    return [part.tail[end - size : end] for end, size in zip(ends, sizes, strict=True)]


def count(tally: Tally, block: Block, events: Any) -> None:
    """Note what a block covered."""
    tally.blocks += 1
    tally.commands += len(block.commands)
    # Of the clearing house's own events `end` and `code` are steps, standings and the like.
    told = events[(events["kind"] < EventKind.INDEXED) | (events["kind"] == EventKind.TRIGGERED)]
    for name, into, rows in (
        ("code", tally.codes, told), ("kind", tally.kinds, events), ("end", tally.ends, told)
    ):  # fmt: skip
        values, counts = np.unique(rows[name], return_counts=True)
        for value, number in zip(values.tolist(), counts.tolist(), strict=True):
            into[value] = into.get(value, 0) + number


def warm() -> None:
    """Compile or load the kernels now, so that the search is not charged for it."""
    KernelMachine(genesis_image(World(0).genesis), np.arange(1, 9))


# --- a run ---------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Found:
    """A disagreement with what leads to it. `smaller`: the block less what it did not need."""

    seed: int
    block: Block
    smaller: Block | None
    what: str
    detail: str


def fuzz(
    seed: int,
    go_on: Callable[[], bool],
    tally: Tally,
    blocks: int = BLOCKS_PER_WORLD,
    worlds_max: int = 1 << 62,
    shrink: bool = True,
) -> Found | None:
    """Run world after world from `seed` on while `go_on()`; give the first disagreement."""
    for world_seed in range(seed, seed + worlds_max):
        if not go_on():
            return None
        world = World(world_seed)
        rng = random.Random(f"lockstep {world_seed}")
        lockstep = Lockstep(genesis_image(world.genesis), rng)
        for _ in range(blocks):
            block = world.block(lockstep.spec.tables)
            try:
                lockstep.vary()
                lockstep.step(block, tally)
            except BROKEN as error:
                what = str(error) if isinstance(error, Disagreement) else repr(error)
                detail = getattr(error, "detail", "")
                fewer = smaller(lockstep.before, block) if shrink else None
                return Found(world_seed, block, fewer, what, detail)
            if not go_on():
                return None
        tally.worlds += 1
    return None


def fails(image: Image, block: Block) -> bool:
    """Whether a block disagrees from a fresh load of the state before it."""
    try:
        Lockstep(image, random.Random(0)).step(block)
    except BROKEN:
        return True
    return False


def smaller(image: Image, block: Block) -> Block | None:
    """The block less bundles it does not need; None if it needs its history to fail."""
    if not fails(image, block):
        return None
    tries, size = 0, max(1, len(block.bundles) // 2)
    while tries < TRIES_MAX:
        last = size == 1
        at = 0
        while at < len(block.bundles) and tries < TRIES_MAX:
            shorter = without(block, at, at + size)
            tries += 1
            if len(shorter.bundles) and fails(image, shorter):
                block = shorter
            else:
                at += size
        if last:
            break
        size //= 2
    return block


def block_words(block: Block) -> list[str]:
    """Bundles and commands of a block, one a line."""
    lines = [f"block {block.height} at {block.time_ms} ms, {len(block.bundles)} bundles"]
    for row in block.bundles:
        first, size = int(row["first"]), int(row["count"])
        signer = row["signer"].tobytes().hex()
        lines.append(f"  {signer} for {row['account']} nonce {row['nonce']}"
                     + (f" until {row['expiry_ms']}" if row["expiry_ms"] else ""))
        for command in decode_commands(block.commands[first : first + size].tobytes()):
            lines.append(f"    {command}")
    return lines
