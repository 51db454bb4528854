"""Catching up by snapshot: nothing but the certified state is installed, and it comes in the end.

Three validators have pruned their logs; the fourth is empty or far behind. Whatever one of them
lies, whoever dies midway, wherever our own process ends: we come to the others' root, sign no
height twice, and go on.
"""


import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.codec.blocks import encode_checkpoint_certificate
from quorate.codec.peer import (
    PeerKind,
    Status,
    WantSnapshot,
    decode_peer,
    encode_peer,
)
from quorate.replica.records import CERTIFIED
from quorate.replica.statesync import Stage
from quorate.replica.validator_messages import FromPeer, PeerUp
from quorate.types.consensus import CheckpointCertificate
from tests.replica.syncing import CHUNK_BYTES, COUNT, EVERY, Disk, World, chunks_of
from tests.replica.syncing_lies import (
    FAR,
    LIES,
    NOTICED,
    invented,
    no_block,
    no_quorum,
    snapshot_with,
)

LAGGING = 3
CHUNKS = len(chunks_of(bytes(2_500)))


@pytest.fixture(scope="module")
def built() -> World:
    """Build a chain of three that goes on while the fourth is down since height 7."""
    world = World([Disk() for _ in range(COUNT)])
    for host in world.hosts:
        host.start()
    world.run(lambda: min(world.heights()) >= 7)
    world.hosts[LAGGING].crash()
    world.run(lambda: min(world.heights()) >= 4 * EVERY + 3)
    for host in world.hosts[:LAGGING]:
        host.crash()
    assert all(host.disk.height_before >= 3 * EVERY for host in world.hosts[:LAGGING])
    return world


def again(built: World, empty: bool = True, up: tuple[int, ...] = (0, 1, 2)) -> World:
    """Start from the disks of the chain that was built: no window of blocks in any memory."""
    disks = [host.disk.copy() for host in built.hosts]
    if empty:
        disks[LAGGING] = Disk()
    world = World(disks, built.now + 10_000)
    world.roots = dict(built.roots)
    forgotten = LAGGING if empty else COUNT
    world.signatures = {
        (index, height): root
        for (index, height), root in built.signatures.items()
        if index != forgotten
    }
    for index in up:
        world.hosts[index].start()
    return world


def caught_up(world: World) -> bool:
    """Say whether all are up and stand together, and the lagging one has executed since."""
    lagging = world.hosts[LAGGING]
    installed = [height for index, height in world.installed if index == LAGGING]
    heights = list(world.heights())
    return bool(installed) and len(heights) == COUNT and max(heights) - min(heights) <= 3 and (
        lagging.height > max(installed) + 2
    )


def finish(world: World) -> None:
    """Run until all stand together, and check that their roots are one (World.signed) and live."""
    world.run(lambda: caught_up(world))
    goal = max(world.heights()) + EVERY
    world.run(lambda: min(world.heights()) >= goal)


def some_behind(built: World, count: int) -> World:
    """Catch up, fall behind by some blocks, and clear the record of what was sent."""
    world = again(built)
    lagging = world.hosts[LAGGING]
    lagging.start()
    finish(world)
    lagging.crash()
    goal = lagging.height + count
    world.run(lambda: min(world.heights()) >= goal)
    lagging.sent.clear()
    return world


def total(world: World, name: str) -> int:
    """Give a count of the lagging validator's present life."""
    return world.hosts[LAGGING].core.parts.counts.get(name, 0)


# --- the good case -------------------------------------------------------------------------------
@pytest.mark.parametrize("empty", [True, False])
def test_far_behind_installs_and_goes_on(built: World, empty: bool) -> None:
    world = again(built, empty)
    lagging = world.hosts[LAGGING]
    lagging.start()
    before = lagging.height
    finish(world)
    assert before == 0 if empty else before >= 7
    ((index, base),) = world.installed
    assert index == LAGGING and base > before
    # Its own next snapshot is one that it can prove to others, and it signs again.
    world.run(lambda: lagging.core.parts.snapshot > base)
    assert (LAGGING, lagging.height) in world.signatures
    assert (LAGGING, base) not in world.signatures


def test_installed_snapshot_is_served_on(built: World) -> None:
    # Who has caught up by a snapshot has its certificate, its file, and the blocks from it on.
    world = again(built)
    lagging = world.hosts[LAGGING]
    lagging.start()
    world.run(lambda: bool(world.installed))
    world.run(lambda: lagging.core.parts.snapshot > 0)
    height = lagging.disk.base()
    assert lagging.core.parts.snapshot == height == lagging.core.parts.range_base
    assert lagging.core.offering.certificates[height].state_root == world.roots[height]


def test_certificates_of_snapshots_are_logged_and_found(built: World) -> None:
    for host in built.hosts[:LAGGING]:
        newest = max(host.disk.snapshots)
        assert newest % EVERY == 0
        assert newest in [label for kind, label, _ in host.disk.records if kind == CERTIFIED]
    world = again(built)
    world.run(lambda: all(host.core.parts.snapshot for host in world.hosts[:LAGGING]))


def test_slightly_behind_uses_ranges(built: World) -> None:
    world = some_behind(built, 6)
    lagging = world.hosts[LAGGING]
    lagging.start()
    goal = max(world.heights()) + 3
    world.run(lambda: len(list(world.heights())) == COUNT and min(world.heights()) >= goal)
    assert len(world.installed) == 1
    assert all(kind != PeerKind.WANT_SNAPSHOT for _, kind in lagging.sent)


@pytest.mark.parametrize("behind", [1, 2, 3, 4, 5])
def test_a_few_blocks_that_nobody_has_in_memory_come_from_logs(built: World, behind: int) -> None:
    # So few are asked for by their digests, which only who holds them in memory can answer.
    world = some_behind(built, behind)
    for host in world.hosts[:LAGGING]:
        host.crash()
    for host in world.hosts:
        host.start()
    goal = max(world.heights()) + 3
    world.run(lambda: min(world.heights()) >= goal, 20_000)


# --- lies ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if name == "no_chunks" else ()) for name in LIES],
)
def test_one_liar_cannot_keep_us_from_the_certified_state(built: World, name: str) -> None:
    world = again(built)
    world.hosts[1].lie = LIES[name]  # the first to be asked for the block at its height
    noticed = NOTICED.get(name)
    world.hosts[LAGGING].start()
    seen = [0]

    def installed() -> bool:
        if noticed is not None and not world.installed:
            seen[0] = max(seen[0], total(world, noticed))
        return bool(world.installed)

    world.run(installed)
    assert noticed is None or seen[0] > 0
    finish(world)


def test_a_whole_snapshot_of_another_state_is_refused_and_not_tried_again(built: World) -> None:
    world = again(built)
    liar = world.hosts[0]
    liar.lie = invented()
    lagging = world.hosts[LAGGING]
    until = world.now + 2_000
    world.run(lambda: world.now >= until)
    # For a while the liar is alone with us; we learn from it that there is more.
    for other in (1, 2):
        world.hosts[other].crash()
    lagging.start()
    world.run(lambda: total(world, "snapshots_refused") == 1)
    asked = sum([kind == PeerKind.WANT_CHUNK for _, kind in lagging.sent])
    again_ms = world.now + 4_000
    world.run(lambda: world.now >= again_ms)
    assert sum([kind == PeerKind.WANT_CHUNK for _, kind in lagging.sent]) == asked
    assert not world.installed and total(world, "snapshots_refused") == 1
    for other in (1, 2):
        world.hosts[other].start()
    finish(world)


def test_chunks_of_another_length_than_named_are_refused(built: World) -> None:
    # Their digests are right, and they would lie over their neighbours in the file.
    world = again(built)
    until = world.now + 2_000
    world.run(lambda: world.now >= until)
    liar = world.hosts[0]
    liar.lie = invented(CHUNK_BYTES + 1)
    for other in (1, 2):
        world.hosts[other].crash()
    world.hosts[LAGGING].start()
    world.run(lambda: total(world, "chunks_forged") >= 1)
    assert not any(world.hosts[LAGGING].disk.partial)


@pytest.mark.parametrize("lie", ["other_digests", "invented", "old"])
def test_what_most_weight_says_is_tried_first(built: World, lie: str) -> None:
    world = again(built)
    world.hosts[0].lie = invented() if lie == "invented" else LIES[lie]
    world.hosts[LAGGING].start()
    sync = world.hosts[LAGGING].core.statesync
    world.run(lambda: sync.stage == Stage.MANIFEST)
    assert sync.height == 4 * EVERY
    world.run(lambda: sync.stage == Stage.FETCHING)
    assert sync.offer is not None and {1, 2} <= set(sync.offer.peers)


def test_certificate_of_a_snapshot_is_logged_though_a_newer_is_known(built: World) -> None:
    world = again(built)
    core = world.hosts[0].core
    parts, offering = core.parts, core.offering
    certificate = offering.certificates.pop(4 * EVERY)
    offering.awaited = 4 * EVERY
    parts.checkpoints.certificates[4 * EVERY] = certificate
    parts.appends = []
    offering.certified()
    payload = encode_checkpoint_certificate(certificate, COUNT)
    assert [(it.kind, it.height, it.payload) for it in parts.appends] == [
        (CERTIFIED, 4 * EVERY, payload)
    ]
    offering.certified()
    assert len(parts.appends) == 1 and offering.awaited == 5 * EVERY


def test_no_chunk_is_asked_for_before_the_certificate_holds(built: World) -> None:
    world = again(built)
    for host in world.hosts[:LAGGING]:
        host.lie = snapshot_with(no_quorum)
    lagging = world.hosts[LAGGING]
    lagging.start()
    world.run(lambda: total(world, "snapshots_forged") >= 6)
    assert all(kind != PeerKind.WANT_CHUNK for _, kind in lagging.sent)


# --- rollback ------------------------------------------------------------------------------------
def test_nothing_at_or_below_what_was_delivered_is_wanted(built: World) -> None:
    world = again(built)
    lagging = world.hosts[LAGGING]
    lagging.start()
    finish(world)
    ((_, old),) = world.installed
    lagging.sent.clear()
    count = len(world.installed)
    for peer in range(LAGGING):
        status = Status(0, 1, FAR, FAR, old, None)
        lagging.post(FromPeer(peer, int(PeerKind.STATUS), encode_peer(status, COUNT)[1]))
    goal = lagging.height + 2 * EVERY
    world.run(lambda: min(world.heights()) >= goal)
    assert len(world.installed) == count
    assert all(kind != PeerKind.WANT_SNAPSHOT for _, kind in lagging.sent)


def test_ranges_that_overtake_the_snapshot_win(built: World) -> None:
    world = again(built)
    lagging = world.hosts[LAGGING]
    lagging.start()
    world.run(lambda: bool(lagging.core.statesync.asked))
    sync = lagging.core.statesync
    # As if ranges had come after all: the tip is where the snapshot would take us.
    lagging.core.parts.blocks.tip = lagging.core.parts.blocks.tip._replace(height=sync.height)
    sync.go_on()
    assert sync.stage == Stage.IDLE
    sync.stage = Stage.INSTALLING
    sync.install()
    assert sync.stage == Stage.IDLE and not lagging.core.parts.appends


def test_base_waits_until_the_ledger_rests(built: World) -> None:
    # What is with the ledger will be logged; it may not stand behind BASE.
    world = again(built)
    lagging = world.hosts[LAGGING]
    lagging.start()
    world.run(lambda: lagging.core.statesync.stage == Stage.CHECKING)
    chain = lagging.core.parts.chain
    chain.executing = 1
    world.run(lambda: lagging.core.statesync.stage == Stage.INSTALLING)
    until = world.now + 2_000
    world.run(lambda: world.now >= until)
    assert not world.installed and lagging.disk.base() == 0
    # Nor is anything more delivered meanwhile.
    chain.ready = lambda: pytest.fail("delivered while installing")  # type: ignore[method-assign]
    lagging.core.following.advance()
    chain.executing = 0
    finish(world)


# --- peers that come and go ----------------------------------------------------------------------
@pytest.mark.parametrize("alone", [False, True])
def test_peers_may_die_midway(built: World, alone: bool) -> None:
    world = again(built)
    lagging = world.hosts[LAGGING]
    lagging.start()
    world.run(lambda: lagging.core.statesync.stage == Stage.FETCHING)
    world.run(lambda: bool(lagging.core.statesync.asked))
    serving = [peer for peer, _ in lagging.core.statesync.asked.values()]
    dying = {0, 1, 2} if alone else {serving[0]}
    for index in dying:
        world.hosts[index].crash()
    for index in dying:
        world.at(4_000, world.hosts[index].start)
    finish(world)


@pytest.mark.slow
def test_stale_snapshot_is_given_up_for_a_newer_one(built: World) -> None:
    # Two serve a snapshot whose block is pruned everywhere: another must be found.
    world = again(built)
    lagging = world.hosts[LAGGING]
    for host in world.hosts[:LAGGING]:
        host.lie = no_block
    lagging.start()
    world.run(lambda: total(world, "snapshots_given_up") > 0)
    for host in world.hosts[:LAGGING]:
        host.lie = None
    finish(world)


# --- our own crashes -----------------------------------------------------------------------------
def test_chunks_that_arrived_are_not_asked_for_again(built: World) -> None:
    world = again(built)
    lagging = world.hosts[LAGGING]
    lagging.start()

    def stored() -> int:
        return sum(1 for at in range(0, len(lagging.disk.partial), CHUNK_BYTES)
                   if any(lagging.disk.partial[at : at + CHUNK_BYTES]))

    world.run(lambda: stored() >= CHUNKS // 2)
    kept = stored()
    lagging.crash()
    lagging.sent.clear()
    lagging.start()
    world.run(lambda: lagging.core.statesync.stage == Stage.CHECKING)
    wanted = sum([kind == PeerKind.WANT_CHUNK for _, kind in lagging.sent])
    # The chain may have gone on to another snapshot; of the same one only the rest is asked for.
    height = lagging.core.statesync.height
    same = height == 4 * EVERY
    assert wanted == CHUNKS - kept if same else wanted <= CHUNKS
    assert same
    finish(world)


def crashed_after(built: World, effects: int, empty: bool) -> bool:
    """Crash the lagging validator so many effects into state sync; say whether it came to it."""
    world = again(built, empty)
    lagging = world.hosts[LAGGING]
    lagging.start()
    world.run(lambda: lagging.core.statesync.stage != Stage.IDLE)
    lagging.crash_in = effects
    finish(world)
    assert len(world.installed) <= 2
    return lagging.crash_in < 0


@pytest.mark.slow
@pytest.mark.parametrize("empty", [True, False])
def test_crash_at_each_step(built: World, empty: bool) -> None:
    # The first few of these come before the first chunk, the last after the node has begun again.
    for effects in range(70):
        assert crashed_after(built, effects, empty)


def test_crash_around_the_installation(built: World) -> None:
    # Crash between any two of: PAYLOAD, BASE, Sync, Install.
    for ahead in range(5):
        world = again(built)
        lagging = world.hosts[LAGGING]
        lagging.start()
        world.run(lambda: lagging.core.statesync.stage == Stage.CHECKING)  # noqa: B023
        lagging.crash_in = ahead
        finish(world)
        assert lagging.crash_in < 0 and lagging.height > world.installed[-1][1]


# --- all of it at once ---------------------------------------------------------------------------
@pytest.mark.slow
@settings(max_examples=40)
@given(
    lie=st.sampled_from([None, *LIES]),
    liar=st.integers(0, LAGGING - 1),
    crashes=st.lists(st.integers(0, 120), max_size=2),
    deaths=st.lists(st.tuples(st.integers(0, LAGGING - 1), st.integers(0, 6_000)), max_size=3),
    empty=st.booleans(),
    seed=st.integers(0, 1 << 16),
)
def test_whatever_happens_the_certified_state_is_reached(
    built: World,
    lie: str | None,
    liar: int,
    crashes: list[int],
    deaths: list[tuple[int, int]],
    empty: bool,
    seed: int,
) -> None:
    world = again(built, empty)
    world.rng.seed(seed)
    if lie is not None:
        world.hosts[liar].lie = LIES[lie]
    lagging = world.hosts[LAGGING]
    lagging.start()

    def die(index: int) -> None:
        host = world.hosts[index]
        if host.up:
            host.crash()
            world.at(2_000, host.start)

    for index, at_ms in deaths:
        world.at(at_ms, lambda index=index: die(index))
    for effects in crashes:
        lagging.crash_in = effects
        world.run(lambda: lagging.crash_in < 0)
        world.run(lambda: lagging.up)
    until = world.now + 7_000
    world.run(lambda: world.now >= until)
    finish(world)
    assert lagging.height in world.roots


# --- ranges --------------------------------------------------------------------------------------
def test_final_blocks_that_are_not_the_next_do_not_stall_us(built: World) -> None:
    # A range that is final and begins too far on would, if it were kept, look like the way.
    world = some_behind(built, 8)
    lagging = world.hosts[LAGGING]
    for host in world.hosts[:LAGGING]:
        host.lie = no_block
    lagging.start()
    world.run(lambda: total(world, "ranges_misplaced") > 2)
    for host in world.hosts[1:LAGGING]:
        host.lie = None
    goal = max(world.heights()) + 3
    world.run(lambda: min(world.heights()) >= goal)


def test_a_validator_asks_only_who_is_there(built: World) -> None:
    world = again(built, up=())
    lagging = world.hosts[LAGGING]
    lagging.start()
    status = Status(0, 1, FAR, FAR, 4 * EVERY, None)
    lagging.post(PeerUp(0))
    lagging.post(FromPeer(0, int(PeerKind.STATUS), encode_peer(status, COUNT)[1]))
    world.run(lambda: lagging.core.statesync.stage == Stage.MANIFEST)
    wants = [peer for peer, kind in lagging.sent if kind == PeerKind.WANT_SNAPSHOT]
    assert wants == [0]
    assert lagging.core.statesync.height == 4 * EVERY


def test_certificates_are_encoded_as_they_were_made(built: World) -> None:
    host = built.hosts[0]
    records = {label: payload for kind, label, payload in host.disk.records if kind == CERTIFIED}
    found: CheckpointCertificate = host.core.offering.certificates[4 * EVERY]
    assert records[4 * EVERY] == encode_checkpoint_certificate(found, COUNT)
    want = WantSnapshot(4 * EVERY)
    assert decode_peer(int(PeerKind.WANT_SNAPSHOT), encode_peer(want, COUNT)[1], COUNT) == want
