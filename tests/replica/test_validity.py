"""What is judged of a block without the state, rule by rule."""

import re
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.replica import validity
from quorate.replica.validity import ParentRef
from quorate.types.blocks import Item
from quorate.types.codes import Reject
from quorate.types.consensus import (
    CheckpointCertificate,
    ConsensusParameters,
    Header,
    Proposal,
    ValidatorSet,
)
from quorate.types.limits import (
    BUNDLE_HEADER_BYTES,
    BUNDLES_PER_BLOCK_MAX,
    COMMAND_BYTES,
    COMMANDS_PER_BLOCK_MAX,
)

PARAMETERS = ConsensusParameters(checkpoint_lag_max=8, block_bytes_max=1_000)
PARENT = ParentRef(7, bytes([1]) * 32, 19, 5_000)
PROPOSAL = Proposal(3, 9, 7, bytes(68))
LEADER = 2


def checkpoint(height: int, **changes: Any) -> CheckpointCertificate:
    digest = sha256(b"block").digest()
    made = CheckpointCertificate(3, height, digest, digest, (0, 1, 2), (bytes(64),) * 3)
    return made._replace(**changes)


HEADER = Header(3, 9, 7, LEADER, 20, 5_000, PARENT.digest, 4, 900, bytes(32), checkpoint(12))


def fault(header: Header, parent: ParentRef = PARENT, **changes: Any) -> str:
    return validity.header_fault(header, PROPOSAL._replace(**changes), parent, LEADER, PARAMETERS)


def test_a_sound_header_has_no_fault() -> None:
    assert fault(HEADER) == ""
    assert fault(HEADER._replace(time_ms=2**40, checkpoint=checkpoint(19))) == ""


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"epoch": 4}, "another view"),
        ({"view": 10}, "another view"),
        ({"leader": 3}, "another leader"),
        ({"parent_view": 6}, "parent is of another view"),
        ({"parent_digest": bytes(32)}, "another parent"),
        ({"height": 19}, "does not follow"),
        ({"height": 21}, "does not follow"),
        ({"time_ms": 4_999}, "before its parent's"),
        ({"items_bytes": 1_001}, "more bytes"),
        ({"items_bytes": 1_001, "items_count": 0}, "more bytes"),
        ({"checkpoint": None}, "no checkpoint"),
        ({"checkpoint": checkpoint(11)}, "too old"),
        ({"checkpoint": checkpoint(20)}, "not of an ancestor"),
        ({"checkpoint": checkpoint(21)}, "not of an ancestor"),
        ({"checkpoint": checkpoint(12, epoch=2)}, "another epoch"),
    ],
)
def test_a_header_has_each_fault(changes: dict[str, Any], said: str) -> None:
    assert said in fault(HEADER._replace(**changes))


def test_proposal_and_header_and_parent_name_one_parent_view() -> None:
    assert "parent is of another view" in fault(HEADER, parent_view=6)
    assert "parent is of another view" in fault(HEADER, PARENT._replace(view=6))
    # Header and proposal agree on a view that is not the parent's.
    assert "parent is of another view" in fault(HEADER._replace(parent_view=6), parent_view=6)


def test_one_bundle_may_be_larger_than_a_block() -> None:
    assert fault(HEADER._replace(items_bytes=1_000)) == ""
    assert fault(HEADER._replace(items_bytes=1_001, items_count=1)) == ""


@given(st.integers(1, 40), st.none() | st.integers(1, 45), st.integers(1, 12))
def test_the_checkpoint_lag_is_as_the_rule_says(
    height: int, certified: int | None, lag_max: int
) -> None:
    """The oracle: genesis is certified, so height 0 stands for no certificate."""
    parameters = ConsensusParameters(checkpoint_lag_max=lag_max)
    certificate = None if certified is None else checkpoint(certified)
    header = HEADER._replace(height=height, checkpoint=certificate)
    parent = PARENT._replace(height=height - 1)
    said = validity.header_fault(header, PROPOSAL, parent, LEADER, parameters)
    assert (said == "") == ((certified or 0) in range(max(height - lag_max, 0), height))
    empty = header._replace(items_count=0, items_bytes=0)
    said = validity.header_fault(empty, PROPOSAL, parent, LEADER, parameters)
    assert (said == "") == ((certified or 0) < height), "an empty block may lag as far as it must"


ITEMS = (Item(1, b"a"), Item(1, b"b"), Item(2, b"a"))


@pytest.mark.parametrize(
    ("items", "rejects", "said"),
    [
        (ITEMS, (0, 0, 0), ""),
        (ITEMS[:2], (0, 0), "another number of items"),
        ((*ITEMS, Item(3, b"")), (0,) * 4, "another number of items"),
        (ITEMS, (0, 0), "not all judged"),
        (ITEMS, (0, Reject.SIGNATURE_MUST_BE_VALID, 0), "item 1 .* SIGNATURE_MUST_BE_VALID"),
        ((ITEMS[0], ITEMS[1], Item(1, b"a")), (0, 0, 0), "twice"),
    ],
)
def test_items_have_each_fault(items: tuple[Item, ...], rejects: Any, said: str) -> None:
    header = HEADER._replace(items_count=3)
    found = validity.items_fault(items, rejects, header)
    assert re.search(said, found) if said else found == ""


VALIDATORS = ValidatorSet(3, tuple(bytes([2, i]) * 16 + b"k" for i in range(5)), (3, 1, 1, 1, 1))


def signed(signers: tuple[int, ...], **changes: Any) -> CheckpointCertificate:
    signatures = tuple(bytes([signer + 1]) * 64 for signer in signers)
    return checkpoint(12, signers=signers, signatures=signatures)._replace(**changes)


def honest(signer: int, signature: bytes) -> bool:
    assert 0 <= signer < 5
    return signature == bytes([signer + 1]) * 64


def test_a_checkpoint_needs_weight_not_heads() -> None:
    assert VALIDATORS.quorum == 5
    found: Callable[..., str] = validity.checkpoint_fault
    assert found(signed((0, 1, 2)), VALIDATORS, honest) == ""
    assert found(signed((0, 1, 2, 3, 4)), VALIDATORS, honest) == ""
    assert "no quorum" in found(signed((1, 2, 3, 4)), VALIDATORS, honest)
    assert "no quorum" in found(signed((0, 1)), VALIDATORS, honest)
    assert "no quorum" in found(signed(()), VALIDATORS, honest)


@pytest.mark.parametrize(
    ("certificate", "said"),
    [
        (signed((0, 1, 2), epoch=4), "another epoch"),
        (signed((0, 1, 2), signatures=(bytes(64),) * 2), "one signature for each"),
        (signed((0, 2, 1)), "ascending"),
        (signed((0, 0, 0)), "ascending"),
        (signed((0, 1, 5)), "ascending"),
        (signed((-1, 0, 1)), "ascending"),
        (signed((0, 1, 2), signatures=(bytes([1]) * 64,) * 3), "validator 1 does not hold"),
        (signed((0, 1), signatures=(bytes([1]) * 63, bytes(64))), "no quorum"),
        (signed((0, 1, 2), signatures=(bytes([1]) * 63,) * 3), "validator 0 does not hold"),
    ],
)
def test_a_checkpoint_has_each_fault(certificate: CheckpointCertificate, said: str) -> None:
    assert said in validity.checkpoint_fault(certificate, VALIDATORS, honest)


def test_every_signature_is_asked_about() -> None:
    for bad in range(5):
        every = signed((0, 1, 2, 3, 4))
        wrong = [*every.signatures]
        wrong[bad] = bytes(64)
        said = validity.checkpoint_fault(
            every._replace(signatures=tuple(wrong)), VALIDATORS, honest
        )
        assert f"validator {bad} does not hold" in said


CLOCK = ConsensusParameters(
    clock_precision_ms=500, message_delay_ms=2_000, view_timeout_ms_max=30_000
)


@pytest.mark.parametrize(
    ("time_ms", "parent_time_ms", "views", "said"),
    [
        (100_000, 0, 0, ""),
        (100_500, 0, 0, ""),
        (100_501, 0, 0, "ahead"),
        (100_501, 100_501, 0, "ahead"),
        (97_500, 0, 0, ""),
        (97_499, 0, 0, "behind"),
        (97_499, 97_498, 0, "behind"),
        (97_499, 97_499, 0, ""),
        (1, 1, 0, ""),
        (97_499, 0, 3, "behind"),
        (97_499, 0, 4, ""),
        (96_500, 0, 4, ""),
        (96_499, 0, 4, "behind"),
        (95_000, 0, 5, ""),
        (94_999, 0, 5, "behind"),
        (69_500, 0, 10**9, ""),
        (69_499, 0, 10**9, "behind"),
    ],
)
def test_the_clock_window(time_ms: int, parent_time_ms: int, views: int, said: str) -> None:
    found = validity.clock_fault(time_ms, 100_000, parent_time_ms, views, CLOCK)
    assert (said in found) if said else found == ""


@given(st.integers(0, 100), st.integers(1, 10**6), st.integers(1, 10**6))
def test_the_delay_grows_and_is_capped(views: int, delay_ms: int, cap_ms: int) -> None:
    parameters = ConsensusParameters(message_delay_ms=delay_ms, view_timeout_ms_max=cap_ms)
    now, then = (validity.clock_delay(views + more, parameters) for more in (0, 1))
    limit = max(delay_ms, cap_ms)
    assert delay_ms <= now <= then <= limit
    if views >= validity.VIEWS_UNFINALIZED_FREE:
        assert then == min(now + (now + 1) // 2, limit)
    else:
        assert then == delay_ms


def test_the_limit_of_commands_holds_whoever_knows_some_of_the_bundles() -> None:
    """By lengths alone: what admission was asked about, and what it answered, differs by node."""
    each = COMMANDS_PER_BLOCK_MAX // 128
    items = tuple(
        Item(1, at.to_bytes(2, "little") + bytes(BUNDLE_HEADER_BYTES + 63 + each * COMMAND_BYTES))
        for at in range(129)
    )
    assert validity.bundles_fault(items[:128], [0] * 128) == ""
    for rejects in ([0] * 129, [0] * 128 + [int(Reject.BLOCK_FULL_SEND_LATER)]):
        fault = validity.bundles_fault(items, rejects)
        assert fault == "the block has more commands than a block may"
    many = (Item(1, b""),) * (BUNDLES_PER_BLOCK_MAX + 1)
    assert "more items" in validity.bundles_fault(many, [0] * len(many))
