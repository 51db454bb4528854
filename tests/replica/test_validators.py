"""What CometBFT is told of the register: held against a model of how it takes updates.

The model keeps the validator set of every height and refuses what would stop a chain. It is driven
by drawn histories of governance, which the readable definition executes.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from quorate.codec.commands import validator_key
from quorate.execution.image import row_bytes
from quorate.execution.spec.context import Context
from quorate.execution.spec.governance import set_validator
from quorate.execution.spec.rows import Chain, Parameters
from quorate.execution.spec.tables import Tables
from quorate.replica.validators import (
    TOTAL_POWER_MAX,
    ValidatorChange,
    accepted,
    address_of,
    changed_at,
    next_members,
)
from quorate.types.codes import KeyType, Reject
from quorate.types.limits import VALIDATOR_POWER_MAX, VALIDATOR_ROWS_MAX
from quorate.types.records import CHAIN, ROW_DTYPES, VALIDATOR, Table
from tests.execution.test_validators import key

GOVERNANCE = b"g" * 20
ED, SECP = KeyType.ED25519, KeyType.SECP256K1
Set = dict[bytes, int]
Said = tuple[int, int]  # number of a key, power


def raw(number: int) -> bytes:
    return key(number)[:32]


def address(number: int) -> bytes:
    return hashlib.sha256(raw(number)).digest()[:20]


class ChainStopped(Exception):
    """CometBFT refused an update; no node of the chain can go on."""


def updated(members: Set, changes: Sequence[ValidatorChange]) -> Set:
    """The set after an update, by the rules of the CometBFT v0.38 spec, ABCI, Validator updates."""
    keys = [change.key for change in changes]
    if len(keys) != len(set(keys)):
        raise ChainStopped("a key stands twice")
    after = dict(members)
    for change in changes:
        if change.key_type != ED or len(change.key) != 32 or change.power < 0:
            raise ChainStopped("no power of an Ed25519 key")
        name = hashlib.sha256(change.key).digest()[:20]
        if change.power:
            after[name] = change.power
        elif name in members:
            del after[name]
        else:
            raise ChainStopped("removal of a key that is no validator")
    if changes and not after:
        raise ChainStopped("no validators left")
    if sum(after.values()) > (2**63 - 1) // 8:
        raise ChainStopped("too much power")
    return after


@dataclass
class Shown:
    """The two tables that the reader looks at, from the readable definition."""

    t: Tables

    def rows(self, table: Table) -> Any:
        held = self.t.rows[table]
        return np.frombuffer(b"".join(row_bytes(held[slot]) for slot in range(len(held))),
                             ROW_DTYPES[table])


@dataclass
class Comet:
    """One chain: `sets[h]` is the validator set of height h."""

    genesis: Set
    height: int = 0
    sets: list[Set] = field(default_factory=list)
    t: Tables = field(default_factory=Tables)

    def __post_init__(self) -> None:
        self.sets = [{}, dict(self.genesis), dict(self.genesis)]
        self.t.put(Table.CHAIN, 0, Chain())
        self.t.put(Table.PARAMETERS, 0, Parameters(governance=GOVERNANCE))

    def block(self, *said: Said, kind: KeyType = ED) -> list[ValidatorChange]:
        """One block as the application and CometBFT execute it; gives what was answered."""
        self.height = h = self.height + 1
        commit = self.sets[h - 1] if h > 1 else self.genesis
        members = next_members(commit, Shown(self.t), h)
        assert members == self.sets[h + 1], "the set that the changes meet"
        c = Context(self.t, h, 1000 * h, signer=GOVERNANCE)
        for number, power in said:
            assert set_validator(c, kind, key(number, kind), power) == Reject.OK
        self.t.put(Table.CHAIN, 0, Chain(height=h))
        taken = accepted(members, changed_at(Shown(self.t), h))
        self.sets.append(updated(self.sets[h + 1], taken))
        return taken


def members(*numbers: int, power: int = 1) -> Set:
    return {address(number): power for number in numbers}


SAID = st.tuples(st.integers(0, 3), st.sampled_from([0, 0, 0, 1, 2, VALIDATOR_POWER_MAX]))
BLOCKS = st.lists(st.lists(SAID, max_size=4), max_size=14)
POWERS = st.sampled_from([1, 2, TOTAL_POWER_MAX // 3, TOTAL_POWER_MAX // 3 - VALIDATOR_POWER_MAX])
NEAR_THE_BOUND = {address(0): TOTAL_POWER_MAX - 1}


@settings(max_examples=300)
@given(st.dictionaries(st.integers(0, 2).map(address), POWERS, min_size=1), BLOCKS)
@example(members(0), [[(1, 1), (0, 0)], [(1, 0)], [], [(0, 1), (0, 0)]])
@example(NEAR_THE_BOUND, [[(1, 2), (0, 0)], [(2, 2)], [(0, 1)], [(1, 0)]])
def test_no_history_of_governance_stops_the_chain(
    genesis: Set, blocks: list[list[Said]]
) -> None:
    comet = Comet(genesis)
    for said in blocks:
        comet.block(*said)


def test_the_model_refuses_what_stops_a_chain() -> None:
    for change, words in (
        (ValidatorChange(ED, raw(2), 0), "a key that is no validator"),
        (ValidatorChange(ED, raw(1), 0), "no validators left"),
        (ValidatorChange(ED, raw(2), TOTAL_POWER_MAX), "too much power"),
        (ValidatorChange(SECP, key(2, SECP), 1), "Ed25519"),
    ):
        with pytest.raises(ChainStopped, match=words):
            updated(members(1), [change])


def test_a_change_takes_effect_two_heights_later() -> None:
    comet = Comet(members(0))
    assert comet.block((1, 5)) == [ValidatorChange(ED, raw(1), 5)]
    assert comet.sets[2] == members(0) and comet.sets[3] == members(0) | members(1, power=5)
    assert comet.block() == []


def test_a_removal_before_the_addition_has_taken_effect_is_taken() -> None:
    comet = Comet(members(0))
    comet.block((1, 5))
    assert comet.block((1, 0)) == [ValidatorChange(ED, raw(1), 0)]
    assert comet.block() == [] and comet.sets[4] == members(0)


def test_added_and_removed_and_removed_again_is_one_removal() -> None:
    comet = Comet(members(0))
    comet.block((1, 5))
    comet.block((1, 0))
    assert comet.block((1, 0)) == []
    assert comet.block((1, 7), (1, 0)) == [], "added and removed within one block"


def test_a_key_that_changes_in_two_blocks_running_keeps_both_changes() -> None:
    """Were the first forgotten, A would be thought a member, and its removal stop the chain."""
    comet = Comet(members(0))
    comet.block((1, 1), (0, 0))
    assert comet.block((1, 0)) == [], "it would leave nobody"
    assert comet.block((0, 1), (0, 0)) == [], "it is no member any more"
    assert comet.sets[3] == comet.sets[5] == members(1)


def test_a_row_with_its_last_change_alone_would_tell_of_another_set() -> None:
    comet = Comet(members(0))
    for said in ([(1, 1), (0, 0)], [(1, 0)]):
        comet.block(*said)
    row = comet.t.row(Table.VALIDATORS, 0)
    row.power_before = row.height_before = 0
    comet.t.put(Table.VALIDATORS, 0, row)
    with pytest.raises(AssertionError, match="the set that the changes meet"):
        comet.block()


def test_removals_of_strangers_are_dropped_alone() -> None:
    comet = Comet(members(0))
    assert comet.block((3, 0), (1, 5)) == [ValidatorChange(ED, raw(1), 5)]


def test_a_block_that_would_leave_nobody_is_dropped_whole() -> None:
    comet = Comet(members(0, 1))
    assert comet.block((0, 0), (1, 0)) == []
    assert comet.block() == [] and comet.sets[4] == members(0, 1)
    assert comet.block((0, 1), (0, 0)) == [ValidatorChange(ED, raw(0), 0)], "said anew"


def test_a_block_that_would_pass_the_bound_is_dropped_whole() -> None:
    comet = Comet(NEAR_THE_BOUND)
    assert comet.block((1, 1), (2, 1)) == []
    assert len(comet.block((1, 1), (3, 1))) == 1, "key 1 has that power in the register already"
    assert sum(comet.sets[4].values()) == TOTAL_POWER_MAX


def test_a_full_register_is_within_the_bound() -> None:
    changes = [
        ValidatorChange(ED, raw(number), VALIDATOR_POWER_MAX)
        for number in range(VALIDATOR_ROWS_MAX)
    ]
    assert accepted({}, changes) == changes
    assert len(updated({}, changes)) == VALIDATOR_ROWS_MAX


def test_keys_of_another_type_stay_in_the_register() -> None:
    comet = Comet(members(0))
    assert comet.block((1, 5), kind=SECP) == []
    assert changed_at(Shown(comet.t), 1) == (ValidatorChange(SECP, key(1, SECP), 5),)


def test_changes_stand_in_the_order_of_rows_and_belong_to_one_height() -> None:
    comet = Comet(members(0))
    comet.block((2, 5), (1, 5))
    comet.block((3, 5), (2, 6))
    shown = Shown(comet.t)
    assert [change[1:] for change in changed_at(shown, 2)] == [(raw(2), 6), (raw(3), 5)]
    assert [change[1:] for change in changed_at(shown, 1)] == [(raw(2), 5), (raw(1), 5)]
    assert changed_at(shown, 0) == ()


def test_addresses_are_those_of_cometbft() -> None:
    """RFC 8032's first key, and its address as CometBFT prints it."""
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    assert address_of(public).hex() == "21fe31dfa154a261626bf854046fd2271b7bed4b"
    assert len(validator_key(ED, public)) == VALIDATOR["key"].itemsize


def test_heights_that_the_state_does_not_tell_of_are_a_callers_mistake() -> None:
    comet = Comet(members(0))
    for _ in range(3):
        comet.block()
    assert int(Shown(comet.t).rows(Table.CHAIN)["height"][0]) == 3
    assert CHAIN.names is not None
    for height in (1, 4):
        with pytest.raises(AssertionError):
            changed_at(Shown(comet.t), height)
    with pytest.raises(AssertionError):
        next_members(members(0), Shown(comet.t), 3)
