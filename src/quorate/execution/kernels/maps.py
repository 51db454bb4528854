"""Hash maps from order ids and client ids to order slots: open addressing, linear probing.

An entry is (hash << 32) + slot, 0 is empty. The hash is linear in the key's 31-bit pieces with
secret multipliers, modulo the prime 2^31 - 1 (Carter and Wegman 1979), so that chosen keys cannot
be made to collide. The used part of the arrays, `map_mask` + 1, has at least two places an order;
it doubles between commands, when the caller refills it. Deleting shifts later entries back, so
there are no tombstones.
"""

import numpy as np

from quorate.compiled import helper

i8 = np.int64
PRIME = 2**31 - 1
LOW32 = 2**32 - 1


@helper
def folded(product):
    """A number below 2^32 that equals a product below 2^62 modulo the prime."""
    return (product & PRIME) + (product >> 31)


@helper
def hash_id(secrets, order_id):
    total = folded(secrets[0] * (order_id & PRIME)) + folded(
        secrets[1] * ((order_id >> 31) & PRIME)
    )
    return total % PRIME


@helper
def hash_client(secrets, account, hi, lo):
    total = folded(secrets[2] * (hi & PRIME)) + folded(secrets[3] * ((hi >> 31) & PRIME))
    total += folded(secrets[4] * (lo & PRIME)) + folded(secrets[5] * ((lo >> 31) & PRIME))
    total += folded(secrets[6] * (account + ((hi >> 62) & 3) * 2**26 + ((lo >> 62) & 3) * 2**28))
    return total % PRIME


@helper
def map_add(table, mask, hashed, slot):
    """Add an entry that is not in the map."""
    at = hashed & mask
    while table[at]:
        at = (at + 1) & mask
    table[at] = (hashed << 32) + slot


@helper
def map_drop(table, mask, hashed, slot):
    """Remove an entry that is in the map and close the gap behind it."""
    at = hashed & mask
    entry = (hashed << 32) + slot
    while table[at] != entry:
        at = (at + 1) & mask
    gap = at
    while True:
        at = (at + 1) & mask
        other = table[at]
        if other == 0:
            break
        home = (other >> 32) & mask
        # The entry may move into the gap unless its home lies cyclically behind the gap.
        if ((at - home) & mask) >= ((at - gap) & mask):
            table[gap] = other
            gap = at
    table[gap] = 0


@helper
def find_order(s, order_id):
    """Slot of an open order by its id, or 0."""
    table = s.id_map
    mask = s.core[0]["map_mask"]
    hashed = hash_id(s.secrets, order_id)
    at = hashed & mask
    while table[at]:
        if (table[at] >> 32) == hashed:
            slot = table[at] & LOW32
            if s.orders[slot]["order_id"] == order_id:
                return slot
        at = (at + 1) & mask
    return i8(0)


@helper
def find_client(s, account, hi, lo):
    """Slot of an account's open order by client id, or 0."""
    table = s.client_map
    mask = s.core[0]["map_mask"]
    hashed = hash_client(s.secrets, account, hi, lo)
    at = hashed & mask
    while table[at]:
        if (table[at] >> 32) == hashed:
            slot = table[at] & LOW32
            row = s.orders[slot]
            if row["cloid_hi"] == hi and row["cloid_lo"] == lo and row["account"] == account:
                return slot
        at = (at + 1) & mask
    return i8(0)


@helper
def order_index(s, slot):
    """Make an open order findable."""
    row = s.orders[slot]
    mask = s.core[0]["map_mask"]
    map_add(s.id_map, mask, hash_id(s.secrets, row["order_id"]), slot)
    if row["cloid_hi"] or row["cloid_lo"]:
        hashed = hash_client(s.secrets, i8(row["account"]), row["cloid_hi"], row["cloid_lo"])
        map_add(s.client_map, mask, hashed, slot)


@helper
def order_unindex(s, slot):
    row = s.orders[slot]
    mask = s.core[0]["map_mask"]
    map_drop(s.id_map, mask, hash_id(s.secrets, row["order_id"]), slot)
    if row["cloid_hi"] or row["cloid_lo"]:
        hashed = hash_client(s.secrets, i8(row["account"]), row["cloid_hi"], row["cloid_lo"])
        map_drop(s.client_map, mask, hashed, slot)
