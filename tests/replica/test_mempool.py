"""The mempool against a naive list, and rule by rule."""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from quorate.admission import admit_block
from quorate.codec.items import encode_items
from quorate.replica import mempool
from quorate.replica.mempool import OWN_CLIENTS, Bundle, Mempool, Outcome, PoolLimits, bundles_of
from quorate.types import limits
from quorate.types.blocks import Item
from quorate.types.codes import Reject
from quorate.types.records import ADMITTED
from tests.replica import world

LIMITS = PoolLimits()


def bundle(number: int, signer: int = 1, commands: int = 1, expiry_ms: int = 0) -> Bundle:
    """Make a bundle without a signature; its bytes are as many as a real one's."""
    item = number.to_bytes(8, "little") + bytes(94 + 64 * commands)
    row = np.zeros(1, ADMITTED)
    row["signer"], row["expiry_ms"], row["count"] = signer, expiry_ms, commands
    data = row.tobytes()
    return Bundle(sha256(item).digest(), item, data, bytes(64 * commands), data[:20])


def several(count: int, first: int = 0, signer: int = 1) -> list[Bundle]:
    return [bundle(number, signer) for number in range(first, first + count)]


SIZE = len(bundle(0).item)


def nothing(name: bytes) -> bool:
    return False


def names(bundles: list[Bundle]) -> list[bytes]:
    return [it.hash for it in bundles]


# --- against a naive list ------------------------------------------------------------------------
@dataclass
class Naive:
    """The same pool as a list that is searched from the front each time."""

    limits: PoolLimits
    waiting: list[tuple[Bundle, int, int]] = field(default_factory=list)  # source, parcel
    learned: list[Bundle] = field(default_factory=list)
    recent: list[bytes] = field(default_factory=list)
    parcels: int = 0
    time_ms: int = 0

    def full(self, found: list[Bundle], it: Bundle, bundles_max: int, bytes_max: int) -> bool:
        size = sum(len(other.item) for other in found) + len(it.item)
        return len(found) + 1 > bundles_max or size > bytes_max

    def judged(self, it: Bundle, source: int) -> Outcome:
        bounds = self.limits
        waiting = [other for other, _, _ in self.waiting]
        if it in waiting:
            return Outcome.WAITING
        if it.hash in self.recent:
            return Outcome.FINAL
        expiry_ms = int(np.frombuffer(it.row, ADMITTED)["expiry_ms"][0])
        if 0 < expiry_ms <= self.time_ms:
            return Outcome.EXPIRED
        mine = [other for other, its_source, _ in self.waiting if its_source == source]
        if self.full(mine, it, bounds.source_bundles_max, bounds.source_bytes_max):
            return Outcome.SOURCE_FULL
        its = [other for other in waiting if other.signer == it.signer]
        if self.full(its, it, bounds.signer_bundles_max, bounds.signer_bytes_max):
            return Outcome.SIGNER_FULL
        if self.full(waiting, it, bounds.bundles_max, bounds.bytes_max):
            return Outcome.POOL_FULL
        return Outcome.ADDED

    def add(self, bundles: list[Bundle], source: int) -> list[Outcome]:
        self.parcels += 1
        found = []
        for it in bundles:
            found.append(self.judged(it, source))
            if found[-1] == Outcome.ADDED:
                self.waiting.append((it, source, self.parcels))
                self.learned = [other for other in self.learned if other != it]
        return found

    def fits(self, bundles: list[Bundle], bytes_max: int) -> bool:
        return (
            len(bundles) <= mempool.BUNDLES_PER_BLOCK_MAX
            and sum(len(it.commands) for it in bundles) <= 64 * mempool.COMMANDS_PER_BLOCK_MAX
            and sum(len(it.item) for it in bundles) <= bytes_max
        )

    def take(self, bytes_max: int, excluded: Callable[[bytes], bool]) -> list[Bundle]:
        free = [(it, parcel) for it, _, parcel in self.waiting if not excluded(it.hash)]
        taken: list[Bundle] = []
        for parcel in dict.fromkeys(parcel for _, parcel in free):
            whole = [it for it, its_parcel in free if its_parcel == parcel]
            if self.fits(taken + whole, bytes_max):
                taken += whole
                continue
            if not self.fits(whole, bytes_max):
                for it in whole:
                    if taken and not self.fits([*taken, it], bytes_max):
                        break
                    taken.append(it)
            break
        return taken

    def finalized(self, hashes: list[bytes]) -> None:
        self.waiting = [entry for entry in self.waiting if entry[0].hash not in hashes]
        self.learned = [it for it in self.learned if it.hash not in hashes]
        for name in hashes:
            if name not in self.recent:
                self.recent = [*self.recent, name][-self.limits.finalized_max :]

    def expired(self, time_ms: int) -> list[Bundle]:
        self.time_ms = max(self.time_ms, time_ms)
        gone = []
        for it, _, _ in self.waiting:
            if 0 < int(np.frombuffer(it.row, ADMITTED)["expiry_ms"][0]) <= self.time_ms:
                gone.append(it)
        self.waiting = [entry for entry in self.waiting if entry[0] not in gone]
        return gone

    def learn(self, bundles: list[Bundle]) -> None:
        waiting = [it for it, _, _ in self.waiting]
        for it in bundles:
            if it not in waiting and it not in self.learned:
                self.learned.append(it)
        while sum(len(it.item) for it in self.learned) > self.limits.learned_bytes_max:
            self.learned.pop(0)


class Small(PoolLimits):
    """Limits without the relations that real ones keep."""

    def __post_init__(self) -> None:
        pass


SMALL = Small(
    bundles_max=14,
    bytes_max=18 * SIZE,
    signer_bundles_max=5,
    signer_bytes_max=7 * SIZE,
    source_bundles_max=7,
    source_bytes_max=9 * SIZE,
    learned_bytes_max=6 * SIZE,
    finalized_max=6,
)
EVERY = [
    bundle(number, number % 5, 1 + number % 3 // 2, 0 if number % 4 else 100 + number)
    for number in range(40)
]
SOME = st.lists(st.integers(0, len(EVERY) - 1).map(lambda number: EVERY[number]), max_size=8)


class PoolMachine(RuleBasedStateMachine):
    """Both pools are told the same and must answer the same."""

    def __init__(self) -> None:
        super().__init__()
        self.pool, self.naive = Mempool(SMALL), Naive(SMALL)
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(mempool, "BUNDLES_PER_BLOCK_MAX", 5)
        self.patch.setattr(mempool, "COMMANDS_PER_BLOCK_MAX", 6)

    def teardown(self) -> None:
        self.patch.undo()

    @rule(bundles=SOME, source=st.integers(-1, 2))
    def add(self, bundles: list[Bundle], source: int) -> None:
        assert self.pool.add(bundles, source) == self.naive.add(bundles, source)

    @rule(excluded=SOME, size=st.integers(0, 8))
    def take(self, excluded: list[Bundle], size: int) -> None:
        found = self.pool.take(size * SIZE, names(excluded).__contains__)
        assert found == self.naive.take(size * SIZE, names(excluded).__contains__)
        assert self.pool.fresh(names(excluded).__contains__) == bool(found)

    @rule(bundles=SOME)
    def finalized(self, bundles: list[Bundle]) -> None:
        before = len(self.naive.waiting)
        gone = self.pool.finalized(names(bundles))
        self.naive.finalized(names(bundles))
        assert gone == before - len(self.naive.waiting)

    @rule(time_ms=st.integers(90, 150))
    def expired(self, time_ms: int) -> None:
        found, expected = self.pool.expired(time_ms), self.naive.expired(time_ms)
        assert sorted(found) == sorted(expected)

    @rule(bundles=SOME)
    def learn(self, bundles: list[Bundle]) -> None:
        self.pool.learn(bundles)
        self.naive.learn(bundles)

    @invariant()
    def they_hold_the_same(self) -> None:
        waiting = [it for it, _, _ in self.naive.waiting]
        assert list(self.pool.waiting) == names(waiting) and len(self.pool) == len(waiting)
        assert self.pool.bytes_held == sum(len(it.item) for it in waiting)
        for it in EVERY:
            known = it in waiting or it in self.naive.learned
            assert self.pool.verified(it.hash) == (it if known else None)

    @invariant()
    def the_bookkeeping_adds_up(self) -> None:
        pool = self.pool
        linked, slot, before = [], pool.head, None
        while slot is not None:
            assert slot.before is before
            linked.append(slot.bundle)
            slot, before = slot.after, slot
        assert pool.tail is before and names(linked) == list(pool.waiting)
        assert sum(held.bundles for held in pool.sources.values()) == len(pool)
        assert sum(held.size for held in pool.signers.values()) == pool.bytes_held
        assert all(held.bundles for held in [*pool.sources.values(), *pool.signers.values()])
        assert sorted(pool.recent) == sorted(self.naive.recent) == sorted(pool.recent_order)
        assert pool.learned_bytes == sum(len(it.item) for it in self.naive.learned)


PoolMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=30)
TestPool = PoolMachine.TestCase


# --- what admission found ------------------------------------------------------------------------
def test_bundles_are_what_admission_found() -> None:
    sound = [
        world.bundle(world.ALICE, 1, world.FUNDS),
        world.bundle(world.BOB, 2, *[world.c.CancelAll()] * 3),
    ]
    forged = Item(1, sound[0].data[:-1] + b"\x07")
    found = bundles_of([sound[0], forged, sound[1]], admit_block(
        [sound[0], forged, sound[1]], world.CHAIN
    ))  # fmt: skip
    assert found[1] == Reject.SIGNATURE_MUST_BE_VALID
    for item, made in zip(sound, found[::2], strict=True):
        assert isinstance(made, Bundle)
        alone = admit_block([item], world.CHAIN)
        assert made.item == encode_items([item])
        assert made.hash == sha256(made.item).digest() == mempool.item_hash(made.item)
        assert made.row == alone.rows.tobytes()
        assert made.commands == alone.commands.tobytes()
        assert made.signer == alone.rows["signer"].tobytes()
    assert bundles_of([], admit_block([], world.CHAIN)) == []


# --- rule by rule --------------------------------------------------------------------------------
def test_a_known_bundle_is_no_fault_and_stays_once() -> None:
    pool = Mempool(LIMITS)
    (it,) = several(1)
    assert pool.add([it, it], OWN_CLIENTS) == [Outcome.ADDED, Outcome.WAITING]
    assert pool.add([it], 3) == [Outcome.WAITING] and len(pool) == 1
    pool.finalized([it.hash])
    assert pool.add([it], 3) == [Outcome.FINAL] and len(pool) == 0 and pool.bytes_held == 0
    for outcome in (Outcome.ADDED, Outcome.WAITING, Outcome.FINAL):
        assert outcome.reject == Reject.OK


def test_each_refusal_has_its_remedy() -> None:
    full = {Outcome.POOL_FULL, Outcome.SIGNER_FULL, Outcome.SOURCE_FULL}
    assert {outcome.reject for outcome in full} == {Reject.BLOCK_FULL_SEND_LATER}
    assert Outcome.EXPIRED.reject == Reject.BUNDLE_EXPIRED_SIGN_AGAIN


def test_a_quota_is_of_the_address_not_of_the_account() -> None:
    pool = Mempool(PoolLimits(signer_bundles_max=3))
    rows = np.zeros(5, ADMITTED)
    rows["signer"], rows["account"] = 1, np.arange(5)
    claimed = [
        it._replace(row=row.tobytes()) for it, row in zip(several(5), rows, strict=True)
    ]
    assert pool.add(claimed, 0) == [Outcome.ADDED] * 3 + [Outcome.SIGNER_FULL] * 2
    assert pool.add([bundle(9, signer=2)], 0) == [Outcome.ADDED]


def test_one_source_cannot_keep_the_others_out() -> None:
    pool = Mempool(PoolLimits(bundles_max=40, source_bundles_max=10, signer_bundles_max=10))
    for source in (0, 1, 2):
        flood = [bundle(100 * source + n, signer=n) for n in range(50)]
        found = pool.add(flood, source)
        assert found.count(Outcome.ADDED) == 10 and found.count(Outcome.SOURCE_FULL) == 40
    assert pool.add(several(10, 1_000, signer=99), OWN_CLIENTS) == [Outcome.ADDED] * 10
    assert pool.add([bundle(2_000)], 3) == [Outcome.POOL_FULL]
    pool.finalized(names([bundle(0, signer=0)]))
    assert pool.add([bundle(2_000)], 0) == [Outcome.ADDED]


def test_a_parcel_comes_whole_or_waits() -> None:
    pool = Mempool(LIMITS)
    parcels = [several(3, first) for first in (0, 10, 20)]
    for parcel in parcels:
        pool.add(parcel, OWN_CLIENTS)
    assert pool.take(8 * SIZE, nothing) == parcels[0] + parcels[1]
    assert pool.take(9 * SIZE, nothing) == parcels[0] + parcels[1] + parcels[2]
    # No block of this size could hold the parcel, so it is split.
    assert pool.take(2 * SIZE, nothing) == parcels[0][:2]
    gone = names(parcels[0][:2]).__contains__
    assert pool.take(2 * SIZE, gone) == parcels[0][2:] + parcels[1][:1]
    assert pool.take(3 * SIZE, gone) == parcels[0][2:]
    assert pool.take(5 * SIZE, gone) == parcels[0][2:] + parcels[1]


def test_at_least_one_bundle_comes() -> None:
    pool = Mempool(LIMITS)
    pool.add(several(3), OWN_CLIENTS)
    assert pool.take(0, nothing) == several(1)
    assert pool.take(0, names(several(1)).__contains__) == several(1, 1)
    assert pool.take(SIZE, lambda name: True) == []
    assert Mempool(LIMITS).take(SIZE, nothing) == []


def test_a_block_holds_as_many_commands_as_it_may() -> None:
    pool = Mempool(LIMITS)
    most, rest = divmod(limits.COMMANDS_PER_BLOCK_MAX, limits.COMMANDS_PER_BUNDLE_MAX)
    assert rest == 0
    large = bundle(0, commands=limits.COMMANDS_PER_BUNDLE_MAX)
    for number in range(most + 2):
        item = number.to_bytes(8, "little") + large.item[8:]
        it = large._replace(hash=sha256(item).digest(), item=item)
        assert pool.add([it], OWN_CLIENTS) == [Outcome.ADDED]
        pool.signers.clear()  # the quota of a signer is not what this is about
        pool.signers[it.signer] = mempool._Held()
    assert len(pool.take(limits.BLOCK_BYTES_MAX, nothing)) == most


def test_take_looks_at_no_more_than_it_must() -> None:
    """The cost of a block is counted in questions, and does not grow with what waits behind."""
    pool = Mempool(LIMITS)
    for first in range(0, 4_000, 4):
        pool.add(several(4, first, signer=first % 200), OWN_CLIENTS)
    asked: list[bytes] = []
    taken = pool.take(40 * SIZE, lambda name: bool(asked.append(name)))
    assert len(taken) == 40 and len(asked) == 44
    hashes = frozenset(names(taken))
    asked.clear()
    again = pool.take(40 * SIZE, lambda name: bool(asked.append(name)) or name in hashes)
    assert len(again) == 40 and len(asked) == 84
    pool.finalized(names(taken))
    asked.clear()
    assert pool.take(40 * SIZE, lambda name: bool(asked.append(name))) == again
    assert len(asked) == 44
    whale = Mempool(LIMITS)
    whale.add(several(4_000), OWN_CLIENTS)
    asked.clear()
    assert len(whale.take(40 * SIZE, lambda name: bool(asked.append(name)))) == 40
    assert len(asked) == 41


def test_late_gossip_does_not_bring_a_finalized_bundle_back_while_it_is_remembered() -> None:
    pool = Mempool(PoolLimits(finalized_max=3))
    old = several(4)
    pool.finalized(names(old[:3]))
    pool.finalized(names(old[:1]))  # a second time does not push another out
    assert pool.add(old[:3], 0) == [Outcome.FINAL] * 3
    pool.finalized(names(old[3:]))
    assert pool.add(old, 0) == [Outcome.ADDED] + [Outcome.FINAL] * 3


def test_an_expired_bundle_goes_and_is_refused() -> None:
    pool = Mempool(LIMITS)
    early, late, never = (bundle(n, expiry_ms=ms) for n, ms in [(1, 100), (2, 200), (3, 0)])
    pool.add([late, early, never], OWN_CLIENTS)
    assert pool.expired(99) == []
    assert pool.expired(100) == [early]
    assert pool.add([early], OWN_CLIENTS) == [Outcome.EXPIRED]
    assert pool.expired(50) == [] and pool.add([early], OWN_CLIENTS) == [Outcome.EXPIRED]
    assert pool.expired(10**12) == [late]
    assert list(pool.waiting) == [never.hash]


def test_what_is_kept_of_finalized_bundles_is_bounded() -> None:
    """Also of those whose expiry is far off, and of what was learned and then finalized."""
    pool = Mempool(PoolLimits(finalized_max=100, learned_bytes_max=50 * SIZE))
    for first in range(0, 6_000, 100):
        parcel = [bundle(n, signer=n % 250, expiry_ms=10**14) for n in range(first, first + 100)]
        pool.add(parcel[:50], 1)
        pool.learn(parcel[50:])
        assert len(pool.learned) == 50
        pool.finalized(names(parcel))
        pool.expired(first)
        assert len(pool.recent) == len(pool.recent_order) <= 100
        assert len(pool.expiries) <= mempool.HEAP_SLACK + 50
        assert not pool.learned and not pool.learned_bytes
    assert not pool.waiting and not pool.signers and not pool.sources


def test_limits_that_contradict_each_other_are_refused() -> None:
    for wrong in (
        {"source_bundles_max": 1 << 17},
        {"signer_bytes_max": 1 << 10},
        {"source_bytes_max": 64 << 20},
        {"finalized_max": 0},
    ):
        with pytest.raises(AssertionError):
            PoolLimits(**wrong)
