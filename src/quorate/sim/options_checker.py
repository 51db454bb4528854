"""What rows of products, series and expiries must say; a part of `execution_checker`."""

from collections import Counter
from typing import Any, Final

from quorate.types.records import Table

SERIES_KIND: Final = 3
HALTED: Final = 4
LIVE, SETTLED = 1, 4  # states of a series; between them it has expired and is being settled
FREE: Final = 0
VOTERS: Final = 32
PARAMETERS: Final = ("strike", "upper", "lower", "rebate", "cap", "rate")
FIRST_PARAMETER: Final = 16


def options_faults(columns: dict[Table, dict[str, list[Any]]]) -> list[str]:
    """Sentences on series that do not fit their products, markets and expiries."""
    s, x = columns[Table.SERIES], columns[Table.EXPIRIES]
    ledger = {name: values[0] for name, values in columns[Table.LEDGER].items()}
    found: list[str] = []
    users: Counter[int] = Counter()
    unsettled = 0
    for slot, state in enumerate(s["state"]):
        if not state:
            continue
        unsettled += state < SETTLED
        row = {name: values[slot] for name, values in s.items()}
        found.extend(series_faults(columns, slot, row))
        if row["expiry_ms"] and state < SETTLED:
            users[row["expiry"]] += 1
            at = (x["feed"][row["expiry"]], x["expiry_ms"][row["expiry"]])
            if at != (columns[Table.RISK]["feed"][slot], row["expiry_ms"]):
                found.append(f"series {slot}: its expiry is another one's")
    markets = columns[Table.MARKETS]
    for slot, kind in enumerate(markets["kind"]):
        bound = slot < len(s["state"]) and s["state"][slot] in range(LIVE, SETTLED)
        if kind == SERIES_KIND and not bound and markets["status"][slot] != HALTED:
            found.append(f"market {slot}: trades without a series")
    used = [k for k, state in enumerate(x["state"]) if state != FREE]
    names = [(x["feed"][k], x["expiry_ms"][k]) for k in used]
    if len(set(names)) != len(names):
        found.append("an expiry has two rows")
    for k, state in enumerate(x["state"]):
        if x["series_count"][k] != users[k] or (state == FREE and users[k]):
            found.append(f"expiry {k}: {users[k]} series use it, not {x['series_count'][k]}")
    if ledger["series_live"] != unsettled:
        found.append(f"{unsettled} series are not settled, not {ledger['series_live']}")
    if ledger["smile_votes_high"] != VOTERS * ledger["expiries_high"]:
        found.append("the votes on smiles do not belong to the expiries")
    return found


def series_faults(
    columns: dict[Table, dict[str, list[Any]]], slot: int, row: dict[str, int]
) -> list[str]:
    """Sentences on one series and its product."""
    products, markets = columns[Table.PRODUCTS], columns[Table.MARKETS]
    found: list[str] = []
    if markets["kind"][slot] != SERIES_KIND or columns[Table.RISK]["mode"][slot] == 0:
        found.append(f"series {slot}: its market is of another kind, or has no clearing house")
    if row["product"] >= len(products["words"]):
        return [*found, f"series {slot}: its product is not listed"]
    if products["payoff_high"][row["product"]] > markets["price_max_ticks"][slot]:
        found.append(f"series {slot}: its payoff may pass the prices of its market")
    raw = products["ranges"][row["product"]]
    for k, name in enumerate(PARAMETERS, FIRST_PARAMETER):
        low, high = (
            int.from_bytes(raw[at : at + 8], "little", signed=True) for at in (16 * k, 16 * k + 8)
        )
        if not low <= row[name] <= high:
            found.append(f"series {slot}: its {name} lies outside of its product's range")
    return found
