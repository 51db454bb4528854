"""Files of catching up: chunks known by their digests, and an installation that a crash may cut."""

import asyncio
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from quorate.replica.messages import Judged, Synced
from quorate.replica.records import Base, base_payload
from quorate.replica.validator_messages import (
    CheckSnapshot,
    ChunkRead,
    ChunkStored,
    Install,
    OpenPartial,
    PartialOpened,
    ReadChunk,
    SnapshotChecked,
    SnapshotOffered,
    StoreChunk,
)
from quorate.runtime.cluster import syncing
from quorate.runtime.cluster.syncing import (
    Syncing,
    finish_install,
    head_fault,
    height_of,
    partial_path,
    snapshot_fault,
)
from quorate.runtime.disk import HomeUnsound, StorageFailed
from quorate.runtime.files import LogFiles, read_snapshot, snapshot_names
from quorate.runtime.home import Home, init_home
from quorate.runtime.recover import recover, snapshot_name
from quorate.runtime.snapshotter import make
from quorate.runtime.start import log_effects, start
from quorate.storage.log import Kind
from quorate.storage.snapshot import CHUNK_BYTES, manifest_bytes_max
from quorate.storage.writer import Entry
from quorate.types.consensus import CheckpointCertificate
from tests.live.nodes import config_text
from tests.replica.world import ALICE, FUNDS, NOW, bundle, judged_batch, request

HEIGHT = 5
Made = tuple[Home, bytes, bytes, bytes]


def home_at(path: Path) -> Home:
    return init_home(path, config_text=config_text(segment_mib=1, machine="spec"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Make a home with a snapshot; give it, the snapshot, its block's digest and its root."""
    home = home_at(tmp_path_factory.mktemp("made") / "home")
    started = start(home)
    for number in range(HEIGHT):
        batch = judged_batch(request(number, bundle(ALICE, number, FUNDS)))
        log_effects(started.files, started.replica.step(NOW + 10 * number, Judged(batch)))
        started.replica.step(NOW, Synced(started.replica.executor.height))
    executor = started.replica.executor
    digest, root = executor.digest, executor.root
    started.files.close()
    assert make(home, HEIGHT).fault == ""
    return home, read_snapshot(home.path, snapshot_name(HEIGHT)), digest, root


@pytest.fixture
def empty(tmp_path: Path) -> Home:
    """Make a home of the same chain, at genesis."""
    return home_at(tmp_path / "home")


def base_of(digest: bytes, root: bytes) -> bytes:
    certificate = CheckpointCertificate(0, HEIGHT, digest, root, (0,), (bytes(64),))
    return base_payload(Base(9, NOW, bytes(32), certificate), 1)


def opened(home: Home) -> LogFiles:
    return LogFiles.open(home.path, home.identity, home.config.segment_bytes)


def based(home: Home, made: Made) -> None:
    """Write BASE into a home's log."""
    with opened(home) as files:
        files.append([Entry(Kind.BASE, HEIGHT, base_of(made[2], made[3]))])


def partial(home: Home, data: bytes) -> None:
    partial_path(home.path).parent.mkdir(exist_ok=True)
    partial_path(home.path).write_bytes(data)


def begun(home: Home) -> int:
    """Begin as a validator does, twice; give the height that it stands at."""
    heights = []
    for _ in range(2):
        with opened(home) as files:
            finish_install(home, files)
            heights.append(recover(home, files).replay.executor.height)
    assert heights[0] == heights[1]
    return heights[0]


# --- crashes -------------------------------------------------------------------------------------
def test_before_base_is_durable_nothing_has_happened(made: Made, empty: Home) -> None:
    partial(empty, made[1])
    assert begun(empty) == 0
    assert snapshot_names(empty.path) == [] and partial_path(empty.path).exists()


def test_after_base_the_next_start_moves_the_file(made: Made, empty: Home) -> None:
    partial(empty, made[1])
    based(empty, made)
    assert begun(empty) == HEIGHT
    assert snapshot_names(empty.path) == [snapshot_name(HEIGHT)]
    assert not partial_path(empty.path).exists()
    assert read_snapshot(empty.path, snapshot_name(HEIGHT)) == made[1]


@pytest.mark.parametrize(
    "spoil", [lambda data: data[:-1], lambda data: data + b"\0", lambda data: b""]
)
def test_base_without_its_snapshot_is_refused(
    made: Made, empty: Home, spoil: Callable[[bytes], bytes]
) -> None:
    partial(empty, spoil(made[1]))
    based(empty, made)
    with pytest.raises(HomeUnsound, match=f"starts after height {HEIGHT}"):
        begun(empty)
    assert snapshot_names(empty.path) == []


def test_after_the_move_the_partial_file_of_another_is_left(made: Made, empty: Home) -> None:
    partial(empty, made[1])
    based(empty, made)
    assert begun(empty) == HEIGHT
    partial(empty, b"half of the next one")
    assert begun(empty) == HEIGHT
    assert partial_path(empty.path).read_bytes() == b"half of the next one"


# --- the threads ---------------------------------------------------------------------------------
class Core:
    """Takes what a core would; asks and waits for the answer."""

    def __init__(self, home: Home) -> None:
        self.events: list[Any] = []
        self.errors: list[BaseException] = []
        self.installed: list[int] = []
        self.syncing = Syncing(home, self.events.append, self.errors.append, self.installed.append)

    async def until(self, holds: Callable[[], bool]) -> None:
        for _ in range(2_000):
            if holds():
                return
            await asyncio.sleep(0.005)
        raise AssertionError(f"it did not come: {self.events}, {self.errors}")

    async def answer(self, wanted: Any) -> Any:
        count = len(self.events)
        self.syncing.carry_out(wanted)
        await self.until(lambda: len(self.events) > count or bool(self.errors))
        return self.events[-1]


def running(home: Home, script: Callable[[Core], Any]) -> Core:
    async def main() -> Core:
        core = Core(home)
        try:
            await script(core)
        finally:
            core.syncing.stop()
        return core

    return asyncio.run(main())


def cut(data: bytes) -> Iterator[tuple[int, bytes]]:
    for index, at in enumerate(range(0, len(data), CHUNK_BYTES)):
        yield index, data[at : at + CHUNK_BYTES]


def test_a_snapshot_goes_from_one_home_to_another(made: Made, empty: Home) -> None:
    source, data, digest, root = made
    chunks: dict[int, bytes] = {}
    offers: list[SnapshotOffered] = []

    async def serve(core: Core) -> None:
        core.syncing.offer()
        await core.until(lambda: bool(core.events))
        offers.append(core.events[-1])
        for index in range(len(offers[0].digests)):
            found = await core.answer(ReadChunk(index, HEIGHT, index))
            assert isinstance(found, ChunkRead) and found.ticket == index
            assert found.data is not None
            chunks[index] = found.data
        beyond = await core.answer(ReadChunk(99, HEIGHT, len(offers[0].digests)))
        assert beyond == ChunkRead(99, None)
        assert await core.answer(ReadChunk(98, HEIGHT + 1, 0)) == ChunkRead(98, None)
        # What is offered once is not offered again.
        count = len(core.events)
        core.syncing.offer()
        await core.answer(ReadChunk(97, HEIGHT, 0))
        assert len(core.events) == count + 1

    running(source, serve)
    (offer,) = offers
    assert (offer.height, offer.size) == (HEIGHT, len(data))
    assert b"".join(chunks.values()) == data

    async def fetch(core: Core) -> None:
        opening = OpenPartial(7, offer.size, offer.digests)
        assert await core.answer(opening) == PartialOpened(7, ())
        assert (await core.answer(CheckSnapshot(HEIGHT, digest, root))).fault
        for index, chunk in chunks.items():
            stored = await core.answer(StoreChunk(HEIGHT, index, chunk))
            assert stored == ChunkStored(HEIGHT, index)
        checked = await core.answer(CheckSnapshot(HEIGHT, digest, root))
        assert checked == SnapshotChecked(HEIGHT, "")
        for wrong in (
            CheckSnapshot(HEIGHT + 1, digest, root),
            CheckSnapshot(HEIGHT, bytes(32), root),
            CheckSnapshot(HEIGHT, digest, bytes(32)),
        ):
            assert (await core.answer(wrong)).fault
        core.syncing.install(Install(HEIGHT))
        await core.until(lambda: core.installed == [HEIGHT])

    running(empty, fetch)
    assert read_snapshot(empty.path, snapshot_name(HEIGHT)) == data


def test_chunks_of_before_are_found_whatever_else_the_file_holds(empty: Home) -> None:
    data = bytes(range(256)) * (3 * CHUNK_BYTES // 256) + b"the rest"
    digests = tuple(sha256(chunk).digest() for _, chunk in cut(data))
    spoiled = bytearray(data + b"what another snapshot had beyond")
    spoiled[CHUNK_BYTES + 5] ^= 1
    partial(empty, bytes(spoiled))

    async def fetch(core: Core) -> None:
        opening = OpenPartial(1, len(data), digests)
        assert await core.answer(opening) == PartialOpened(1, (0, 2, 3))
        await core.answer(StoreChunk(HEIGHT, 1, dict(cut(data))[1]))
        found = await core.answer(OpenPartial(2, len(data), digests))
        assert found == PartialOpened(2, (0, 1, 2, 3))

    running(empty, fetch)
    assert partial_path(empty.path).read_bytes() == data


def whole_refused(path: Path) -> bytes:
    raise AssertionError(f"{path} was taken into memory")


def test_zeros_that_never_came_are_not_there_nor_read(
    empty: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A file that was only made large enough would hold all of these.
    monkeypatch.setattr(syncing, "read_whole", whole_refused)
    data = bytes(3 * CHUNK_BYTES + 9)
    digests = tuple(sha256(chunk).digest() for _, chunk in cut(data))

    async def fetch(core: Core) -> None:
        opening = OpenPartial(1, len(data), digests)
        assert await core.answer(opening) == PartialOpened(1, ())
        checked = await core.answer(CheckSnapshot(HEIGHT, bytes(32), bytes(32)))
        assert checked.fault and checked.chunks == (0, 1, 2, 3)
        for index in (0, 2):
            await core.answer(StoreChunk(HEIGHT, index, dict(cut(data))[index]))
        checked = await core.answer(CheckSnapshot(HEIGHT, bytes(32), bytes(32)))
        assert checked.chunks == (1, 3)
        for index in (1, 3):
            await core.answer(StoreChunk(HEIGHT, index, dict(cut(data))[index]))
        # All came, as named: its head is no snapshot's, so it is not read either.
        checked = await core.answer(CheckSnapshot(HEIGHT, bytes(32), bytes(32)))
        assert checked.fault and not checked.chunks

    running(empty, fetch)


def test_chunks_that_rotted_on_the_way_are_named_and_not_the_state_blamed(
    made: Made, empty: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, data, digest, root = made
    digests = tuple(sha256(chunk).digest() for _, chunk in cut(data))

    async def fetch(core: Core) -> None:
        await core.answer(OpenPartial(1, len(data), digests))
        for index, chunk in cut(data):
            await core.answer(StoreChunk(HEIGHT, index, chunk))
        with partial_path(empty.path).open("r+b") as file:
            file.seek(len(data) - 1)
            file.write(bytes([data[-1] ^ 1]))
        with monkeypatch.context() as patch:
            patch.setattr(syncing, "read_whole", whole_refused)
            checked = await core.answer(CheckSnapshot(HEIGHT, digest, root))
            assert checked.fault and checked.chunks == (len(digests) - 1,)
        *_, (last, chunk) = cut(data)
        await core.answer(StoreChunk(HEIGHT, last, chunk))
        found = await core.answer(CheckSnapshot(HEIGHT, digest, root))
        assert found == SnapshotChecked(HEIGHT, "")

    running(empty, fetch)


@pytest.mark.parametrize("wrong", ["height", "root", "size", "chain", "short"])
def test_a_head_of_another_state_is_refused_before_the_rest_is_read(
    made: Made, wrong: str
) -> None:
    home, data, _, root = made
    head, size, height = data[: manifest_bytes_max(len(data))], len(data), HEIGHT
    found = home.identity
    assert head_fault(head, size, found, height, root) == ""
    if wrong == "height":
        height += 1
    elif wrong == "root":
        root = bytes(32)
    elif wrong == "size":
        size += 1
    elif wrong == "chain":
        found = found._replace(chain_id=found.chain_id + 1)
    else:
        head = head[:50]
    assert head_fault(head, size, found, height, root)


def test_a_chunk_that_rotted_since_it_was_offered_is_not_sent(made: Made, empty: Home) -> None:
    path = empty.path / "snapshots" / snapshot_name(HEIGHT)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(made[1])

    async def serve(core: Core) -> None:
        core.syncing.offer()
        await core.until(lambda: bool(core.events))
        path.write_bytes(b"\xff" + made[1][1:])
        assert await core.answer(ReadChunk(1, HEIGHT, 0)) == ChunkRead(1, None)
        path.unlink()
        assert await core.answer(ReadChunk(2, HEIGHT, 0)) == ChunkRead(2, None)

    running(empty, serve)


def test_a_disk_that_fails_is_told(empty: Home) -> None:
    # A folder where the file should be.
    partial_path(empty.path).mkdir(parents=True)

    async def fetch(core: Core) -> None:
        core.syncing.carry_out(OpenPartial(1, 10, (bytes(32),)))
        await core.until(lambda: bool(core.errors))

    core = running(empty, fetch)
    assert isinstance(core.errors[0], StorageFailed) and not core.events


def test_every_flipped_byte_is_another_state(made: Made) -> None:
    home, data, digest, root = made
    assert snapshot_fault(data, home.identity, HEIGHT, digest, root) == ""
    for at in range(0, len(data), max(len(data) // 97, 1)):
        flipped = data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1 :]
        assert snapshot_fault(flipped, home.identity, HEIGHT, digest, root)


def test_names_of_snapshots() -> None:
    assert height_of(snapshot_name(1)) == 1 and height_of(snapshot_name(10**15)) == 10**15
    for name in ("copy.snapshot", "1.snapshot", snapshot_name(3) + ".bak", "\u0661.snapshot", ""):
        assert height_of(name) == 0
