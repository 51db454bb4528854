"""The register of validators as an engine reads it: what changed, and what CometBFT will take.

Governance writes the register (SET_VALIDATOR); an engine whose validator set the chain decides
reads it from committed state. CometBFT (v0.38 spec, ABCI, Validator updates) takes the changes of
height h with the answer to the block of h and applies them to the set of height h + 1, which gives
the set of h + 2. It ends the chain at a removal of a key that is not in the set which it meets, at
a set that would be empty, and at a total power above MaxInt64 // 8. So `accepted` drops, in order:

    1. changes of keys that are not Ed25519: our chains have no other kind under CometBFT, and a
       set of two kinds would stop it. They stay in the register for other engines.
    2. removals of keys that are not in the set which the changes meet.
    3. all changes of the block, if the set would then be empty or above the bound.

Which set is met: the block of h carries the commit of h - 1, hence the set of h - 1. What was taken
at h - 2 makes of it the set of h, and what was taken at h - 1 the set of h + 1. `next_members` does
these two steps again, from the register as it stands before the block executes.

Why that is exact. By induction let what was answered at earlier heights be `accepted` of the true
sets. Step one needs every change of h - 2, step two every change of h - 1. A row holds its last two
changes, whose heights differ, and before block h executes none is younger than h - 1: so both are
there, also where a key changed at both heights. A row is reused only when its last change, a
removal, is three blocks old or more, so no change of h - 2 or h - 1 has made room for another key.
`accepted` depends on its arguments alone and each key stands once in a block's changes, so the
steps done again give what was answered then. A row with its last change alone would not do: "add K
and remove A, the only member" followed by "remove K" would read at h as "remove A" and "remove K";
the first would then be dropped although it was taken, A would be thought a member, and its removal
would stop the chain.

Two nodes cannot differ: they read the same state and the same commit. A key that changes several
times within one block shows its last power; telling CometBFT the power that a key has is no change
for it either. A change that was dropped stays written in the register. To have it taken later,
governance changes the key's power and changes it back, which may be in one bundle.

The first block has no commit; its caller gives the validators with which CometBFT began.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from quorate.replica.views import Tables
from quorate.types.codes import KeyType
from quorate.types.limits import INT64_MAX
from quorate.types.records import ADDRESS_BYTES, VALIDATOR_KEY_BYTES, Table

TOTAL_POWER_MAX: Final = INT64_MAX // 8  # CometBFT's bound of a set's total power
KEY_BYTES: Final = {KeyType.ED25519: 32, KeyType.SECP256K1: VALIDATOR_KEY_BYTES}


class ValidatorChange(NamedTuple):
    """What governance said of one key. key: 32 bytes of Ed25519, or 33 of secp256k1."""

    key_type: KeyType
    key: bytes
    power: int


def changed_at(tables: Tables, height: int) -> tuple[ValidatorChange, ...]:
    """Give the changes of a height in row order; the state is that of `height` or of the next."""
    if height < 1:
        return ()
    assert 0 <= int(tables.rows(Table.CHAIN)[0]["height"]) - height <= 1
    found = []
    for row in tables.rows(Table.VALIDATORS):
        for at, power in (("changed_height", "power"), ("height_before", "power_before")):
            if row[at] == height:
                kind = KeyType(int(row["key_type"]))
                key = row["key"].tobytes()[: KEY_BYTES[kind]]
                found.append(ValidatorChange(kind, key, int(row[power])))
    return tuple(found)


def address_of(key: bytes) -> bytes:
    """Give the 20 bytes by which CometBFT names an Ed25519 key."""
    assert len(key) == KEY_BYTES[KeyType.ED25519]
    return hashlib.sha256(key).digest()[:ADDRESS_BYTES]


def applied(members: Mapping[bytes, int], changes: Iterable[ValidatorChange]) -> dict[bytes, int]:
    """Give the set, power by address, that accepted changes make of another."""
    after = dict(members)
    for change in changes:
        address = address_of(change.key)
        if change.power:
            after[address] = change.power
        else:
            del after[address]
    return after


def accepted(
    members: Mapping[bytes, int], changes: Iterable[ValidatorChange]
) -> list[ValidatorChange]:
    """Give those of a block's changes that CometBFT takes.

    members: the set that they meet, as `next_members` gives it. changes: each key at most once.
    """
    taken = [
        change
        for change in changes
        if change.key_type == KeyType.ED25519
        and (change.power or address_of(change.key) in members)
    ]
    after = applied(members, taken)
    if not after or sum(list(after.values())) > TOTAL_POWER_MAX:
        return []
    return taken


def next_members(
    last_commit: Mapping[bytes, int], tables: Tables, height: int
) -> dict[bytes, int]:
    """Give the set that the changes of `height` meet: CometBFT's validators of height + 1.

    last_commit: power by address of the set that signed height - 1, whether or not each did; for
    the first block the validators with which CometBFT began. tables: the state of height - 1, that
    is before the block of `height` executes.
    """
    assert int(tables.rows(Table.CHAIN)[0]["height"]) == height - 1
    members = dict(last_commit)
    for before in (height - 2, height - 1):
        members = applied(members, accepted(members, changed_at(tables, before)))
    return members
