"""What is said of a bundle before it is executed, and what an engine records of it afterwards."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.admission.judge import admit_block
from quorate.codec import commands as c
from quorate.execution.image import Image
from quorate.replica.messages import Reply
from quorate.replica.replica import Replica
from quorate.replica.results import results_of
from quorate.types.blocks import Item
from quorate.types.codes import EventKind, Reject
from quorate.types.limits import DAY_MS, NONCES_PER_SIGNER
from quorate.types.records import EVENT, Table
from tests.replica.world import (
    ALICE,
    BOB,
    CHAIN,
    FUNDS,
    NOW,
    bundle,
    events_of,
    executor_of,
    random_trading,
    replica_of,
    request,
    run_blocks,
    submit,
    synced,
)

# Said beforehand only of what cannot change any more.
FINAL = (
    Reject.OK,
    Reject.BUNDLE_EXPIRED_SIGN_AGAIN,
    Reject.NONCE_TOO_OLD_USE_CURRENT_MS,
    Reject.NONCE_ALREADY_USED,
    Reject.NONCE_BELOW_THE_HUNDRED_HIGHEST,
)
NONCES = st.one_of(
    st.integers(-3 * DAY_MS, 3 * DAY_MS), st.integers(-5, 300), st.just(0), st.just(-2 * DAY_MS)
)


def busy() -> Image:
    """Make a state in which one signer has a floor, some have a few nonces, and one has none."""
    replica = replica_of()
    run_blocks(replica, random_trading(4))
    many = [bundle(BOB, 2 * at, FUNDS) for at in range(NONCES_PER_SIGNER + 3)]
    submit(replica, NOW + 100, request(1, *many))
    synced(replica)
    return replica.executor.image()


BUSY = busy()


def advice(kind: str, items: Sequence[Item]) -> list[int]:
    rows = admit_block(items, CHAIN).rows
    return [int(code) for code in executor_of(kind, BUSY).hopeless(rows)]


def executed(item: Item) -> Reject:
    """Execute an item in the next block, at the same time; give the code of the bundle."""
    replica = Replica(executor_of("spec", BUSY), replica_of().settings)
    effects = submit(replica, replica.executor.time_ms, request(1, item))
    (reply,) = [it for it in effects if isinstance(it, Reply)]
    events = events_of(reply)
    refused = events[events["kind"] == EventKind.BUNDLE]
    return Reject(int(refused["code"][0])) if len(refused) else Reject.OK


@given(st.sampled_from([ALICE, BOB, bytes(31) + b"\x07"]), NONCES)
@settings(max_examples=120, deadline=None)
def test_advice_is_what_execution_would_say_where_it_is_final(key: bytes, nonce: int) -> None:
    item = bundle(key, nonce, FUNDS)
    (code,) = advice("kernel", [item])
    assert advice("spec", [item]) == [code]
    found = executed(item)
    assert code == (found if found in FINAL else Reject.OK)


def test_advice_changes_nothing() -> None:
    for kind in ("spec", "kernel"):
        executor = executor_of(kind, BUSY)
        before = [part.rows.tobytes() + part.tail for part in executor.image()]
        executor.hopeless(admit_block([bundle(ALICE, 0, FUNDS)], CHAIN).rows)
        assert [part.rows.tobytes() + part.tail for part in executor.image()] == before
        assert executor.image()[Table.CHAIN].rows["height"][0] == executor.height


def test_an_expired_bundle_is_hopeless_from_its_very_millisecond() -> None:
    from quorate.admission import sign_bundle

    time_ms = executor_of("spec", BUSY).time_ms
    data = c.encode_commands([FUNDS])
    items = [
        sign_bundle(ALICE, CHAIN, 0, NOW + 7_000, data, expiry_ms=at)
        for at in (0, time_ms - 1, time_ms, time_ms + 1)
    ]
    late = int(Reject.BUNDLE_EXPIRED_SIGN_AGAIN)
    assert advice("spec", items) == advice("kernel", items) == [0, late, late, 0]


# --- results -------------------------------------------------------------------------------------
@given(st.lists(st.lists(st.integers(0, 600), max_size=5), max_size=8), st.randoms())
@settings(max_examples=100, deadline=None)
def test_results_are_the_receipts_of_each_bundle_whatever_the_order(
    plan: list[list[int]], random: object
) -> None:
    """A bundle without commands stands for one that was refused as a whole."""
    rows = []
    order = list(range(len(plan)))
    random.shuffle(order)  # type: ignore[attr-defined]
    for index in order:
        row = np.zeros(1, EVENT)
        row["bundle"] = index
        if not plan[index]:
            row["kind"], row["code"] = EventKind.BUNDLE, 208
            rows.append(row)
        for at, code in enumerate(plan[index]):
            fill = row.copy()
            fill["kind"] = EventKind.FILL
            receipt = row.copy()
            receipt["kind"], receipt["code"], receipt["command"] = EventKind.RECEIPT, code, at
            rows += [fill, receipt]
    sweep = np.zeros(1, EVENT)
    sweep["kind"], sweep["bundle"] = EventKind.CANCELLED, 0xFFFF_FFFF
    found = results_of(np.concatenate([sweep, *rows]), len(plan))
    assert found == tuple(
        (0 if codes else 208, b"".join(code.to_bytes(2, "little") for code in codes))
        for codes in plan
    )


def test_a_block_without_bundles_has_no_results() -> None:
    assert results_of(np.zeros(0, EVENT), 0) == ()
