"""Versions of the rules: what a listed bundle does, and a version that begins by force."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.admission.judge import item_digest
from quorate.admission.signing import sign_owner
from quorate.codec import commands as c
from quorate.codec.bundle import unsigned_part
from quorate.execution import machine as machine_module
from quorate.replica.errors import ReplayRefused, VersionMissing
from quorate.replica.executor import Executor
from quorate.replica.ledger import Ledger, Ordered
from quorate.replica.messages import Append, Effect, Halt, Request, Stop
from quorate.replica.records import block_read
from quorate.replica.replay import Replay
from quorate.replica.versions import ACTIVATIONS, SKIPPED, Activation, Release
from quorate.runtime import development
from quorate.storage.log import Identity, Kind
from quorate.types import limits
from quorate.types.blocks import Item
from quorate.types.codes import EventKind, Reject
from quorate.types.records import Table
from tests.replica.world import (
    ALICE,
    BOB,
    CHAIN,
    FUNDS,
    IDENTITY,
    MACHINES,
    NOW,
    SETTINGS,
    bundle,
    executor_of,
    judged_batch,
    logged,
    random_trading,
    request,
)

GOVERNANCE = development.role_key("governance")
PLAIN = Release(SKIPPED)
Blocks = Sequence[Sequence[Request]]


def digest_of(item: Item) -> bytes:
    """Give what the key of an item has signed."""
    return item_digest(item.kind, unsigned_part(item.data), CHAIN)


def listing(digests: Sequence[bytes], height: int, version: int = 2) -> Release:
    """Make a release that skips bundles from a height on."""
    skipped = {1: (), 2: (), version: tuple(digests)}
    return Release(skipped, (Activation(IDENTITY, height, version),), (1, 2, version))


def ordered(executor: Executor, requests: Sequence[Request]) -> Ordered:
    """Put requests into the next block."""
    batch = judged_batch(*requests)
    height = executor.height + 1
    return Ordered(height, NOW + 10 * height, batch.items, batch.rows, batch.commands)


def run(ledger: Ledger, blocks: Blocks) -> list[Effect]:
    """Execute one block for each entry; give all effects."""
    effects: list[Effect] = []
    for requests in blocks:
        effects += ledger.execute(ordered(ledger.executor, requests))
    return effects


def ledger_of(kind: str, release: Release) -> Ledger:
    return Ledger(executor_of(kind), SETTINGS, release=release)


def replay_of(kind: str, effects: list[Effect], release: Release) -> Replay:
    """Replay what was logged."""
    replay = Replay(executor_of(kind), IDENTITY, 1, release)
    replay.feed(logged(effects))
    replay.settle()
    return replay


def rows_but_chain(executor: Executor) -> list[bytes]:
    """Give every committed row but those that name the block."""
    return [part.rows.tobytes() + part.tail for part in executor.image() if part.table]


# --- the data ------------------------------------------------------------------------------------
def test_this_release_skips_nothing_and_forces_nothing() -> None:
    assert limits.PROTOCOL_VERSIONS == (1, 2) == tuple(SKIPPED)
    assert not any(SKIPPED.values()) and not ACTIVATIONS


def test_data_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(AssertionError, match="could execute later"):
        Release({1: (), 2: (b"a" * 32,), 3: (b"b" * 32,)}, (), (1, 2, 3))
    with pytest.raises(AssertionError):
        Release({1: (), 2: (b"short",)})
    here = Activation(IDENTITY, 5, 2)
    with pytest.raises(AssertionError, match="one activation per height"):
        Release(SKIPPED, (here, here))
    with pytest.raises(AssertionError):
        Release(SKIPPED, (Activation(IDENTITY, 5, 9),))


def test_an_activation_is_for_one_chain_and_never_goes_back() -> None:
    release = Release(SKIPPED, (Activation(IDENTITY, 5, 2),))
    assert release.forced(IDENTITY, 5, 1) == 2
    assert release.forced(IDENTITY, 5, 2) == 0, "governance was faster"
    assert release.forced(IDENTITY, 4, 1) == release.forced(IDENTITY, 6, 1) == 0
    other = Identity(IDENTITY.chain_id, b"another genesis, of the same id!")
    assert release.forced(other, 5, 1) == 0


def test_items_are_not_looked_at_where_nothing_is_skipped() -> None:
    def never() -> bytes:
        raise AssertionError("the items were asked for")

    rows: Any = object()
    assert PLAIN.rows_of(rows, never, 2, IDENTITY) is rows
    assert listing([b"x" * 32], 5).rows_of(rows, never, 1, IDENTITY) is rows


# --- a skipped bundle ----------------------------------------------------------------------------
@pytest.mark.parametrize("kind", MACHINES)
def test_a_skipped_bundle_changes_nothing_and_says_that_it_has_expired(kind: str) -> None:
    funded = [[request(1, bundle(ALICE, 0, FUNDS), bundle(BOB, 0, FUNDS))]]
    poison = bundle(ALICE, 1, c.Faucet(77), c.Place(1, 0, 600_000, 3))
    after = bundle(BOB, 1, c.Place(1, 1, 600_000, 3))
    ledger = ledger_of(kind, listing([digest_of(poison)], 2))
    run(ledger, [*funded, [request(2, poison, after)]])
    without = ledger_of(kind, listing([], 2))
    run(without, [*funded, [request(2, after)]])
    assert rows_but_chain(ledger.executor) == rows_but_chain(without.executor)
    events = ledger.executor.events
    first = events[events["bundle"] == 0]
    assert [(it["kind"], it["code"]) for it in first] == [
        (EventKind.BUNDLE, Reject.BUNDLE_EXPIRED_SIGN_AGAIN)
    ]
    # Its nonce is unused: the same words under another digest execute.
    again = bundle(ALICE, 1, c.Faucet(78))
    run(ledger, [[request(3, again)]])
    assert ledger.executor.events[0]["code"] == Reject.OK
    # And it stays skipped for as long as the version holds.
    run(ledger, [[request(4, poison)]])
    assert ledger.executor.events[0]["code"] == Reject.BUNDLE_EXPIRED_SIGN_AGAIN


@pytest.mark.parametrize("kind", MACHINES)
def test_a_bundle_that_a_wallet_signed_is_skipped_by_what_it_signed(kind: str) -> None:
    item = sign_owner(ALICE, CHAIN, 0, NOW + 1, c.encode_commands([c.Transfer(
        0, development.key_address(BOB), 0, 5)]))  # fmt: skip
    ledger = ledger_of(kind, listing([digest_of(item)], 2))
    run(ledger, [[request(1, bundle(ALICE, 0, FUNDS), bundle(BOB, 0, FUNDS))], [request(2, item)]])
    assert ledger.executor.events[0]["code"] == Reject.BUNDLE_EXPIRED_SIGN_AGAIN


@settings(max_examples=6)
@given(st.integers(0, 2**16), st.data())
def test_spec_kernels_and_replay_agree_on_what_is_skipped(seed: int, data: st.DataObject) -> None:
    blocks = random_trading(5, seed)
    items = [
        bundle_item for requests in blocks[1:] for one in requests for bundle_item in split(one)
    ]
    chosen = data.draw(st.lists(st.sampled_from(items), max_size=6))
    release = listing([digest_of(item) for item in chosen], 3)
    spec, kernel = (ledger_of(kind, release) for kind in MACHINES)
    effects = run(spec, blocks)
    run(kernel, blocks)
    assert spec.executor.root == kernel.executor.root
    assert spec.executor.events.tobytes() == kernel.executor.events.tobytes()
    assert replay_of("spec", effects, release).executor.root == spec.executor.root


def split(one: Request) -> tuple[Item, ...]:
    """Take a request apart."""
    from quorate.codec.items import decode_items

    found = decode_items(one.data)
    assert not isinstance(found, Reject)
    return found


# --- how a version begins ------------------------------------------------------------------------
@pytest.mark.parametrize("kind", MACHINES)
def test_version_2_begins_where_governance_says(kind: str) -> None:
    announcing = bundle(GOVERNANCE, 1, c.Upgrade(2, 12))
    blocks = [[request(1, bundle(GOVERNANCE, 0, FUNDS))], [request(2, announcing)], *[[]] * 12]
    new, old = ledger_of(kind, PLAIN), ledger_of(kind, Release(SKIPPED, (), (1,)))
    effects = run(new, blocks)
    assert not any(isinstance(effect, Stop | Halt) for effect in effects)
    versions = [
        block_read(effect.payload).protocol_version
        for effect in effects
        if isinstance(effect, Append) and effect.kind == Kind.BLOCK
    ]
    assert versions == [1] * 11 + [2] * 3
    chain = new.executor.image()[Table.CHAIN].rows[0]
    assert (chain["protocol_version"], chain["version_next"]) == (2, 0)
    before = run(old, blocks[:11])
    (stop,) = old.execute(ordered(old.executor, []))
    assert isinstance(stop, Stop) and stop.reason.startswith("block 12 needs version 2")
    assert old.executor.height == 11 and old.stopped
    # The newer program goes on with the older one's log, and comes to the same.
    replay = replay_of(kind, before, PLAIN)
    ledger = Ledger(replay.executor, SETTINGS, replay.checkpoint)
    run(ledger, blocks[11:])
    assert ledger.executor.root == new.executor.root
    # The older one cannot read the newer one's.
    with pytest.raises(VersionMissing, match="Block 12 needs version 2"):
        replay_of(kind, effects, Release(SKIPPED, (), (1,)))


@pytest.mark.parametrize("kind", MACHINES)
def test_a_block_that_halted_us_is_read_under_the_version_that_skips(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine_module, "PROTOCOL_VERSIONS", (1, 2, 3))
    poison = bundle(ALICE, 1, c.Faucet(77))
    blocks = [
        [request(1, bundle(ALICE, 0, FUNDS), bundle(BOB, 0, FUNDS))],
        [request(2, bundle(BOB, 1, c.Place(1, 0, 600_000, 1)))],
        [request(3, poison, bundle(BOB, 2, c.Place(1, 0, 600_001, 2)))],
    ]
    ledger = ledger_of(kind, PLAIN)
    effects = run(ledger, blocks[:2])
    machine = ledger.executor.machine

    def sick(*_: Any) -> Any:
        raise AssertionError("a bug of ours")

    monkeypatch.setattr(machine, "run", sick)
    with pytest.raises(AssertionError, match="a bug of ours"):
        ledger.execute(ordered(ledger.executor, blocks[2]))
    assert ledger.attempt is not None and ledger.attempt.height == 3
    effects += ledger.attempt.effects
    release = listing([digest_of(poison)], 3, 3)
    replay = replay_of(kind, effects, release)
    assert replay.executor.height == 3 and replay.unsigned
    assert int(replay.executor.chain()["protocol_version"]) == 3
    # One that had not come so far executes it to the same root and digest.
    other = ledger_of(kind, release)
    run(other, blocks)
    assert other.executor.root == replay.executor.root
    assert other.executor.digest == replay.executor.digest
    # Whoever has signed that block under the first version signs no other.
    signed = ledger_of(kind, PLAIN)
    with pytest.raises(ReplayRefused, match="of another block"):
        replay_of(kind, run(signed, blocks), release)


def test_a_version_forced_after_others_settles_the_parent_first() -> None:
    blocks = [[request(1, bundle(ALICE, 0, FUNDS))], *[[]] * 5]
    release = listing([], 4)
    ledger = ledger_of("spec", release)
    effects = run(ledger, blocks)
    sparse = Replay(executor_of("spec"), IDENTITY, 1024, release)
    sparse.settle_from = 6
    sparse.feed(logged(effects))
    sparse.settle()
    assert sparse.executor.root == ledger.executor.root


def test_rows_are_copied_before_they_are_changed() -> None:
    poison = bundle(ALICE, 1, c.Faucet(77))
    batch = judged_batch(request(1, poison, bundle(BOB, 0, FUNDS)))
    before = batch.rows.copy()
    release = listing([digest_of(poison)], 1)
    changed = release.rows_of(batch.rows, lambda: batch.items, 2, IDENTITY)
    assert (batch.rows == before).all()
    assert changed["expiry_ms"].tolist() == [-1, 0]
    assert (np.delete(changed, 0) == np.delete(before, 0)).all()
