"""Answers to questions about the state, as trees of JSON values. Asking changes nothing.

A question is an object with `ask` and its own fields; an answer has no key `error`, or only that.

    status                                  where the chain stands
    checkpoint                              the last one, with its signature
    assets, markets                         all of them, in order of their numbers
    depth      market, levels (20)          prices and lots on both sides, best first
    trades     market, count (50)           the latest, newest first
    account    account | address, sub (0)   row and positions
    orders     account, count (1000)        its open orders
    triggers   account, count (1000)        its conditional orders, and its groups of quotes
    clearing                                the venue's numbers and funds, feeds, voters, changes
    options                                 products, expiries with their smiles, listing rules
    series     market (all)                 mark, forward, volatility and greeks of series
    calendar                                expiries in the order of time, with their fixings so far
    calendar   account | address, sub (0)   what an account holds by expiry, and its theta per day
    order      order_id                     one open order
    proof      account | order_id           a proof file under the last checkpoint, as text

Integers stay integers (prices in ticks, sizes in lots, money in 1e-6 of the quote), bytes are
lower-case hex, addresses with 0x.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from quorate.commitment.proof import (
    Proof,
    account_proof,
    checkpoint_fields,
    exported,
    order_proof,
)
from quorate.replica import options_view
from quorate.replica.views import Answer, fields, positions
from quorate.types.clearing import GLOBALS
from quorate.types.limits import BANDS_PER_MARKET
from quorate.types.records import ADDRESS_BYTES, Table

if TYPE_CHECKING:
    from quorate.replica.ledger import Ledger

Question = Mapping[str, Any]
COUNT_MAX: Final = 10_000


class QuestionRefused(Exception):
    """A question that has no answer. The message is one sentence for whoever asked."""


def answer(ledger: "Ledger", question: Question) -> Answer:
    """Answer a question; a refusal is an answer with `error`."""
    handler = HANDLERS.get(str(question.get("ask", "")))
    if handler is None:
        return {"error": f"Ask for one of: {', '.join(HANDLERS)}."}
    try:
        return handler(ledger, question)
    except QuestionRefused as refused:
        return {"error": str(refused)}


# --- reading a question --------------------------------------------------------------------------
def integer(question: Question, key: str, default: int | None = None) -> int:
    """Take a field that is an integer, not negative."""
    value = question.get(key, default)
    if type(value) is not int or value < 0:
        raise QuestionRefused(f"Give `{key}` as an integer.")
    return value


def slot_in(ledger: "Ledger", question: Question, key: str, table: Table) -> int:
    """Take a field that is the number of a used row, from 1 on."""
    slot = integer(question, key)
    if not 0 < slot < len(ledger.executor.tables.rows(table)):
        raise QuestionRefused(f"No {key} has the number {slot}.")
    return slot


def account_slot(ledger: "Ledger", question: Question) -> int:
    """Take the account that a question names by its number, or by address and subaccount."""
    if "address" not in question:
        return slot_in(ledger, question, "account", Table.ACCOUNTS)
    text = str(question["address"]).removeprefix("0x")
    try:
        address = bytes.fromhex(text)
    except ValueError:
        address = b""
    if len(address) != ADDRESS_BYTES:
        raise QuestionRefused(f"Give `address` as {2 * ADDRESS_BYTES} hex digits.")
    rows = ledger.executor.tables.rows(Table.ACCOUNTS)
    same = (rows["address"] == np.frombuffer(address, np.uint8)).all(axis=1)
    found = np.flatnonzero(same & (rows["sub"] == integer(question, "sub", 0)))
    if not len(found) or not found[0]:
        raise QuestionRefused(f"No account has the address 0x{address.hex()}.")
    return int(found[0])


def order_slot(ledger: "Ledger", question: Question) -> int:
    """Find an open order by its id."""
    order_id = integer(question, "order_id")
    ids = ledger.executor.tables.rows(Table.ORDERS)["order_id"]
    found = np.flatnonzero(ids == order_id)
    if not order_id or not len(found):
        raise QuestionRefused(f"No open order has the id {order_id}.")
    return int(found[0])


# --- answers -------------------------------------------------------------------------------------
def status(ledger: "Ledger", question: Question) -> Answer:
    """Say where the chain stands."""
    executor, identity = ledger.executor, ledger.settings.identity
    counts = executor.tables.rows(Table.LEDGER)[0]
    chain = executor.chain()
    return {
        "chain_id": identity.chain_id,
        "genesis_hash": identity.app_genesis.hex(),
        "signer": ledger.settings.signer.hex(),
        "height": executor.height,
        "time_ms": executor.time_ms,
        "protocol_version": int(chain["protocol_version"]),
        "state_root": executor.root.hex(),
        "exec_block_digest": chain["exec_block_digest"].tobytes().hex(),
        "accounts": int(counts["accounts_high"]) - 1,
        "markets": int(counts["markets_high"]) - 1,
        "orders_open": int(counts["orders_live"]),
        "fees_e6": int(counts["fees_e6"]),
        "batches_waiting": ledger.waiting,
    }


def checkpoint(ledger: "Ledger", question: Question) -> Answer:
    """Give the last checkpoint."""
    if ledger.checkpoint is None:
        raise QuestionRefused("There is no checkpoint before the first block.")
    return checkpoint_fields(ledger.checkpoint)


def assets(ledger: "Ledger", question: Question) -> Answer:
    """List the assets; 0 is the quote asset."""
    rows = ledger.executor.tables.rows(Table.ASSETS)
    return {"assets": [{"asset": slot, **fields(row)} for slot, row in enumerate(rows)]}


def markets(ledger: "Ledger", question: Question) -> Answer:
    """List the markets, from number 1 on, with the clearing house and the series that they have."""
    tables = ledger.executor.tables
    rows, risks, bands, series = (
        tables.rows(table) for table in (Table.MARKETS, Table.RISK, Table.BANDS, Table.SERIES)
    )
    listed = [{"market": slot, **fields(row)} for slot, row in enumerate(rows) if slot]
    for found in listed:
        slot = found["market"]
        if slot < len(risks) and risks[slot]["mode"]:
            own = bands[slot * BANDS_PER_MARKET : (slot + 1) * BANDS_PER_MARKET]
            found["risk"] = fields(risks[slot])
            found["bands"] = [fields(band) for band in own if band["tau_ms"]]
        if slot < len(series) and series[slot]["state"]:
            found["series"] = fields(series[slot])
    return {"markets": listed}


def clearing(ledger: "Ledger", question: Question) -> Answer:
    """Give what the clearing house of the whole venue rests on."""
    tables = ledger.executor.tables
    counts, parameters = tables.rows(Table.LEDGER)[0], tables.rows(Table.PARAMETERS)[0]
    found: Answer = {name: int(parameters[name]) for name in (*GLOBALS, "switch")}
    for name in ("insurance_e6", "gate_until_ms", "debtors_count", "debts_e6"):
        found[name] = int(counts[name])
    for name in ("tick_next_ms", "vault"):
        found[name] = int(counts[name])
    for name, table in (("feeds", Table.FEEDS), ("voters", Table.VOTERS)):
        found[name] = [fields(row) for row in tables.rows(table)]
    found["changes"] = [fields(row) for row in tables.rows(Table.CHANGES) if row["height"]]
    return found


def options(ledger: "Ledger", question: Question) -> Answer:
    """List the products, the expiries that series use, and the rules that list series."""
    tables = ledger.executor.tables
    expiries, rules = tables.rows(Table.EXPIRIES), tables.rows(Table.LISTINGS)
    return {
        "products": options_view.products(tables),
        "expiries": [
            {"expiry": slot, **fields(row)} for slot, row in enumerate(expiries) if row["state"]
        ],
        "listings": [
            {"listing": slot, **fields(row)} for slot, row in enumerate(rules) if row["used"]
        ],
    }


def series(ledger: "Ledger", question: Question) -> Answer:
    """List the series, or give that of a market."""
    tables, time_ms = ledger.executor.tables, ledger.executor.time_ms
    if "market" not in question:
        return {"time_ms": time_ms, "series": options_view.listed_series(tables, time_ms)}
    slot = slot_in(ledger, question, "market", Table.MARKETS)
    rows = tables.rows(Table.SERIES)
    if slot >= len(rows) or not rows[slot]["state"]:
        raise QuestionRefused(f"Market {slot} is no series.")
    return {"time_ms": time_ms, "series": [options_view.series(tables, slot, time_ms)]}


def calendar(ledger: "Ledger", question: Question) -> Answer:
    """List the expiries in the order of time, or what an account holds by expiry."""
    tables, time_ms = ledger.executor.tables, ledger.executor.time_ms
    if "account" not in question and "address" not in question:
        return {"time_ms": time_ms, "expiries": options_view.calendar(tables, time_ms)}
    slot = account_slot(ledger, question)
    return {"time_ms": time_ms, **options_view.account_calendar(tables, slot, time_ms)}


def depth(ledger: "Ledger", question: Question) -> Answer:
    """Walk the price levels of a market from the best on: price, lots, number of orders."""
    market = slot_in(ledger, question, "market", Table.MARKETS)
    most = min(integer(question, "levels", 20), COUNT_MAX)
    tables = ledger.executor.tables
    row, levels = tables.rows(Table.MARKETS)[market], tables.rows(Table.LEVELS)
    sides: Answer = {}
    for side in ("bid", "ask"):
        found: list[list[int]] = []
        slot = int(row[f"{side}_best"])
        while slot and len(found) < most:
            level = levels[slot]
            found.append([int(level["price"]), int(level["lots"]), int(level["orders_count"])])
            slot = int(level["worse"])
        sides[f"{side}s"] = found
    return {"market": market, "height": ledger.executor.height, **sides}


def trades(ledger: "Ledger", question: Question) -> Answer:
    """List the latest trades of a market."""
    market = slot_in(ledger, question, "market", Table.MARKETS)
    count = min(integer(question, "count", 50), COUNT_MAX)
    return {"market": market, "trades": ledger.trades.latest(market, count)}


def account(ledger: "Ledger", question: Question) -> Answer:
    """Give an account's row and its positions; `isolated_e6` is margin of a position alone."""
    slot = account_slot(ledger, question)
    tables = ledger.executor.tables
    held = positions(tables, [slot])[0]
    row = fields(tables.rows(Table.ACCOUNTS)[slot])
    return {"account": slot, **row, "positions": [fields(position) for position in held]}


def orders(ledger: "Ledger", question: Question) -> Answer:
    """List an account's open orders, the newest first."""
    slot = account_slot(ledger, question)
    most = min(integer(question, "count", 1000), COUNT_MAX)
    tables = ledger.executor.tables
    rows = tables.rows(Table.ORDERS)
    at = int(tables.rows(Table.ACCOUNTS)[slot]["orders_head"])
    found: list[Answer] = []
    while at and len(found) < most:
        found.append(fields(rows[at]))
        at = int(rows[at]["account_next"])
    return {"account": slot, "orders": found}


def triggers(ledger: "Ledger", question: Question) -> Answer:
    """List an account's triggers and its groups of quotes, the newest first."""
    slot = account_slot(ledger, question)
    most = min(integer(question, "count", 1000), COUNT_MAX)
    tables = ledger.executor.tables
    row = tables.rows(Table.ACCOUNTS)[slot]
    found: Answer = {"account": slot}
    for name, table in (("triggers", Table.TRIGGERS), ("groups", Table.GROUPS)):
        listed: list[Answer] = []
        rows, at = tables.rows(table), int(row[f"{name}_head"])
        while at and len(listed) < most:
            listed.append(fields(rows[at]))
            at = int(rows[at]["account_next"])
        found[name] = listed
    return found


def order(ledger: "Ledger", question: Question) -> Answer:
    """Give one open order."""
    return fields(ledger.executor.tables.rows(Table.ORDERS)[order_slot(ledger, question)])


def proof_of(ledger: "Ledger", question: Question) -> Proof:
    """Prove an account with its positions, or an order, under the last checkpoint.

    Raises QuestionRefused.
    """
    if ledger.checkpoint is None:
        raise QuestionRefused("There is no checkpoint before the first block.")
    tree, views = ledger.executor.tree, ledger.executor.tables.views()
    if "order_id" in question:
        slot = order_slot(ledger, question)
        return order_proof(tree, views[Table.ORDERS], slot, ledger.checkpoint)
    slot = account_slot(ledger, question)
    return account_proof(tree, views[Table.ACCOUNTS], slot, ledger.checkpoint)


def proof(ledger: "Ledger", question: Question) -> Answer:
    """Give a proof file."""
    return {"proof": exported(proof_of(ledger, question)).decode("ascii")}


HANDLERS: Final[dict[str, Callable[["Ledger", Question], Answer]]] = {
    "status": status,
    "checkpoint": checkpoint,
    "assets": assets,
    "markets": markets,
    "depth": depth,
    "trades": trades,
    "account": account,
    "orders": orders,
    "order": order,
    "triggers": triggers,
    "clearing": clearing,
    "options": options,
    "series": series,
    "calendar": calendar,
    "proof": proof,
}
