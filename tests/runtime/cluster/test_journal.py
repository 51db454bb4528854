"""The log of a validator: what pruning keeps, what is read back, and how a halt is marked."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.replica.messages import Append, Halt, Stop, Sync
from quorate.replica.records import AGREEMENT, DELIVERED, OBSERVING, PAYLOAD, VOTING
from quorate.replica.validator_messages import Send
from quorate.runtime.cluster.journal import Journal, Prune
from quorate.runtime.disk import StorageFailed
from quorate.runtime.errors import NodeHalted, NodeStopped
from quorate.runtime.files import LogFiles, segment_numbers, segment_path
from quorate.runtime.halt import read_halt
from quorate.runtime.home import Home
from quorate.storage.recovery import SnapshotFound
from quorate.types.consensus import VIEW_MAX
from tests.runtime.cluster.disks import (
    COUNT,
    Watched,
    delivery_of,
    home_at,
    log_of,
    payload_at,
)

HEIGHTS = 24
BLOCK_BYTES = 192 << 10
VIEW_OF = 3  # views for each height
SNAPSHOTS = (SnapshotFound("18", 18, True), SnapshotFound("22", 22, True))


def journal_of(
    home: Home, files: LogFiles, released: list[list[Any]] | None = None
) -> tuple[Journal, Watched]:
    watched = Watched(files)
    kept = [] if released is None else released
    taken: Any = watched
    return Journal(home, taken, COUNT, lambda effects, lists: kept.append(effects)), watched


def written(journal: Journal, delivered: int, extra: Sequence[Append] = ()) -> dict[int, bytes]:
    """Log blocks, of which so many are delivered; give their digests by height."""
    digests: dict[int, bytes] = {}
    for height in range(1, HEIGHTS + 1):
        digest, record = payload_at(height, VIEW_OF * height, BLOCK_BYTES)
        digests[height] = digest
        journal.carry_out([record, Append(AGREEMENT, VIEW_OF * height, b"vote"), Sync(0)], 1)
        if height == 2:
            journal.carry_out([*extra, Sync(0)], 1)
        # Execution logs on, whatever agreement has noted.
        placed, block = delivery_of(height, VIEW_OF * height, digest)
        journal.carry_out([placed, block] if height <= delivered else [block], 0)
    return digests


def views_logged(files: LogFiles, kinds: tuple[int, ...] = (AGREEMENT, PAYLOAD)) -> list[int]:
    """Give the labels of the records that the log holds."""
    return [
        record.height
        for scan in files.read_segments()
        for record in scan.records
        if record.kind in kinds
    ]


# --- pruning -------------------------------------------------------------------------------------
@pytest.mark.parametrize("delivered", [7, 9, 17, HEIGHTS])
def test_pruning_keeps_all_views_that_are_not_delivered(tmp_path: Path, delivered: int) -> None:
    home = home_at(tmp_path / "home")
    with log_of(home) as files:
        journal, _ = journal_of(home, files)
        digests = written(journal, delivered)
        before = segment_numbers(home.path)
        journal.prune(Prune(SNAPSHOTS))
        gone = len(before) - len(segment_numbers(home.path))
        kept = views_logged(files)
        wanted = list(range(delivered, HEIGHTS + 1))
        assert {VIEW_OF * height for height in wanted} <= set(kept)
        for height in wanted:
            assert journal.read_block(digests[height]) is not None
        # It does prune, and the more is delivered the more: never above the older snapshot.
        assert 0 < gone < len(before)
        assert {VIEW_OF * height for height in range(19, HEIGHTS + 1)} <= set(kept)
        assert min(kept) <= VIEW_OF * min(delivered, 19)


def test_a_journal_that_does_not_note_views_prunes_too_much(tmp_path: Path) -> None:
    class Careless(Journal):
        """Forgets what agreement would replay."""

        def note(self, kind: int, view: int, sequence: int) -> None:
            pass

    first: dict[type[Journal], int] = {}
    for kind in (Journal, Careless):
        home = home_at(tmp_path / kind.__name__)
        with log_of(home) as files:
            journal = kind(home, files, COUNT, lambda effects, lists: None)
            written(journal, 4)
            journal.prune(Prune(SNAPSHOTS))
            first[kind] = min(views_logged(files))
    assert first[Journal] <= VIEW_OF * 4 < first[Careless]


def test_an_observer_keeps_what_says_so_until_it_votes(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    with log_of(home) as files:
        journal, _ = journal_of(home, files)
        written(journal, HEIGHTS, [Append(OBSERVING, VIEW_MAX, b"")])
        journal.prune(Prune(SNAPSHOTS))
        assert views_logged(files, (OBSERVING,)) == [VIEW_MAX]
        above = VIEW_OF * HEIGHTS
        journal.carry_out([Append(VOTING, above, above.to_bytes(8, "little")), Sync(0)], 1)
        journal.prune(Prune(SNAPSHOTS))
        assert views_logged(files, (OBSERVING,)) == []
        assert views_logged(files, (VOTING,)) == [above]


def test_what_is_found_at_start_is_kept_as_what_was_written(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    with log_of(home) as files:
        journal, _ = journal_of(home, files)
        digests = written(journal, 9)
        views, places = dict(journal.views), dict(journal.places)
    with log_of(home) as files:
        again, _ = journal_of(home, files)
        for scan in files.read_segments():
            for record in scan.records:
                if Journal.concerns(record):
                    again.found(Journal.brief(record, COUNT))
        assert again.views == views and again.places == places
        assert all(again.read_block(digest) is not None for digest in digests.values())


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just(AGREEMENT), st.integers(1, 9)),
            st.tuples(st.just(PAYLOAD), st.integers(1, 9)),
            st.tuples(st.just(DELIVERED), st.integers(1, 9)),
        )
    )
)
def test_views_not_delivered_have_their_first_record(notes: list[tuple[int, int]]) -> None:
    unused: Any = None
    journal = Journal(unused, unused, COUNT, unused)
    for sequence, (kind, view) in enumerate(notes, 1):
        journal.note(kind, view, sequence)
    for view in range(1, 10):
        # By hand: of each view, what came since it was last passed.
        passed = max(
            [at for at, (kind, by) in enumerate(notes, 1) if kind == DELIVERED and by > view],
            default=0,
        )
        wanted = [
            at
            for at, (kind, of) in enumerate(notes, 1)
            if at > passed and kind != DELIVERED and of == view
        ]
        assert journal.views.get(view) == (wanted[0] if wanted else None)


# --- reading back --------------------------------------------------------------------------------
def test_a_pruned_block_is_none(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    with log_of(home) as files:
        journal, _ = journal_of(home, files)
        digests = written(journal, HEIGHTS)
        place = journal.places[digests[1]]
        assert journal.read_block(digests[1]) is not None
        journal.prune(Prune(SNAPSHOTS))
        assert journal.read_block(digests[1]) is None
        # As if it were pruned between the look and the reading.
        journal.places[digests[1]] = place
        assert not segment_path(home.path, place.segment).exists()
        assert journal.read_blocks([digests[1], b"?" * 32, digests[24]])[:2] == (None, None)
        assert journal.read_blocks([digests[24]])[0] is not None


@pytest.mark.parametrize("at", [0, 40, 100, 500, -1])
def test_a_damaged_block_is_none(tmp_path: Path, at: int) -> None:
    home = home_at(tmp_path / "home")
    with log_of(home) as files:
        journal, _ = journal_of(home, files)
        digest, record = payload_at(1, 1, 1024)
        journal.carry_out([record, Sync(0)], 1)
        assert journal.read_block(digest) == record.payload
        place = journal.places[digest]
        position = place.offset + at % place.size
        with segment_path(home.path, place.segment).open("r+b") as file:
            file.seek(position)
            (old,) = file.read(1)
            file.seek(position)
            file.write(bytes([old ^ 1]))
        assert journal.read_block(digest) is None


# --- the end -------------------------------------------------------------------------------------
def test_halt_is_marked_after_what_led_to_it_is_durable(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    released: list[list[Any]] = []
    files = log_of(home)
    journal, watched = journal_of(home, files, released)
    marked: list[Any] = []
    watched.while_syncing = lambda: marked.append(read_halt(home.path))
    sent = Send(None, 1, b"why")
    halt = Halt(7, b"h" * 32, "the roots differ")
    journal.queue.put([Append(AGREEMENT, 5, b"evidence"), Sync(0), sent, halt])
    with pytest.raises(NodeHalted, match="height 7"):
        journal.run()
    assert marked == [None] and released == [[sent]] and watched.durable == 1
    found = read_halt(home.path)
    assert found is not None
    assert (found.height, found.digest, found.reason) == (7, b"h" * 32, "the roots differ")
    files.close()
    with log_of(home) as again:
        assert views_logged(again) == [5]


@pytest.mark.parametrize("end", [Halt(7, b"h" * 32, "because"), Stop("a newer program")])
def test_a_sync_that_fails_lets_nothing_go_and_marks_nothing(tmp_path: Path, end: Any) -> None:
    home = home_at(tmp_path / "home")
    released: list[list[Any]] = []
    with log_of(home) as files:
        journal, watched = journal_of(home, files, released)

        def fail() -> None:
            raise StorageFailed("the disk is gone")

        watched.while_syncing = fail
        journal.queue.put([Append(AGREEMENT, 5, b"vote"), Sync(0), Send(None, 1, b"vote"), end])
        with pytest.raises(StorageFailed):
            journal.run()
    assert not released and read_halt(home.path) is None


def test_stop_leaves_no_marker(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    with log_of(home) as files:
        journal, watched = journal_of(home, files)
        journal.queue.put([Append(AGREEMENT, 5, b"vote"), Sync(0), Stop("version 9 is needed")])
        with pytest.raises(NodeStopped, match="version 9"):
            journal.run()
        assert watched.durable == 1 and read_halt(home.path) is None
