"""What rows of triggers and groups must say of one another; a part of `execution_checker`."""

from typing import Any, Final

from quorate.types.records import Table

REDUCE_ONLY: Final = 0x01
CHILD_BIT: Final = 0x80  # of a trigger that follows its parent, and of an order that is one
TRIED_BIT: Final = 0x40  # of a trigger that fired when nobody was on the other side
WAITING, ARMED = 1, 2
TRAILING: Final = 2


def conditional_faults(columns: dict[Table, dict[str, list[Any]]], time_ms: int) -> list[str]:
    """Sentences on pairs that are not paired, parents that know nothing, frozen groups."""
    g, o = columns[Table.TRIGGERS], columns[Table.ORDERS]
    found: list[str] = []
    slots = {number: slot for slot, number in enumerate(g["trigger_id"]) if number}
    orders = {number: slot for slot, number in enumerate(o["order_id"]) if number}
    for slot in slots.values():
        row = {name: values[slot] for name, values in g.items()}
        what = f"trigger {slot}"
        if row["pair_id"]:
            other = slots.get(row["pair_id"], 0)
            back = (g["pair_id"][other], g["account"][other])
            if not other or back != (row["trigger_id"], row["account"]):
                found.append(f"{what}: its pair is not paired with it")
        parent = orders.get(row["parent_id"], 0)
        if parent and (
            o["account"][parent] != row["account"] or not o["flags"][parent] & CHILD_BIT
        ):
            found.append(f"{what}: its parent does not know it")
        if row["state"] == WAITING:
            if not row["parent_id"] or (row["flags"] & CHILD_BIT and row["size"]):
                found.append(f"{what}: waits for no parent, or follows what has not filled")
        elif row["state"] == ARMED and not row["size"] and row["flags"] & ~TRIED_BIT != REDUCE_ONLY:
            found.append(f"{what}: armed without a size, and not bound to a position")
        if (row["kind"] == TRAILING) != bool(row["trail_ppm"]):
            found.append(f"{what}: only a trailing stop has a trail")
        if row["flags"] & ~(REDUCE_ONLY | CHILD_BIT | TRIED_BIT):
            found.append(f"{what}: flags {row['flags']:#x}")
    frozen = columns[Table.GROUPS]["frozen_until_ms"]
    for slot, group in enumerate(o["group_slot"]):
        if group and frozen[group] > time_ms:
            found.append(f"order {slot}: rests in a frozen group")
    return found
