"""Slots of tables, the searches over keys, positions of accounts, and events."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.maps import order_unindex
from quorate.execution.kernels.pools import positions_grow, positions_release
from quorate.execution.kernels.state import (
    ACCOUNT_TREE,
    LEVEL_CACHE,
    LEVEL_TREE,
    NONCE_TREE,
    NONCES_PER_CELL,
    SESSION_TREE,
)
from quorate.execution.kernels.trees import tree_floor, tree_insert, tree_remove
from quorate.types.codes import Reject, Side
from quorate.types.limits import POSITIONS_MAX, POSITIONS_PER_ACCOUNT_MAX, PRICE_TICKS_MAX
from quorate.types.records import Table

i8 = np.int64
BUY = int(Side.BUY)
OK, TABLE_FULL = int(Reject.OK), int(Reject.TABLE_FULL_SEND_LATER)
POSITIONS_TOO_MANY = int(Reject.POSITIONS_TOO_MANY_CLOSE_ONE)
T_CHAIN, T_ASSETS = int(Table.CHAIN), int(Table.ASSETS)
T_MARGIN_TIERS, T_FEE_TIERS = int(Table.MARGIN_TIERS), int(Table.FEE_TIERS)
T_VALIDATORS, T_PARAMETERS = int(Table.VALIDATORS), int(Table.PARAMETERS)
T_FEEDS, T_VOTERS, T_CHANGES = int(Table.FEEDS), int(Table.VOTERS), int(Table.CHANGES)
T_PRODUCTS, T_EXPIRIES = int(Table.PRODUCTS), int(Table.EXPIRIES)
T_LISTINGS = int(Table.LISTINGS)


# --- keys ----------------------------------------------------------------------------------------
@helper
def key_words(words, address, sub):
    """Write an address (20 bytes) and a subaccount as four 48-bit words that sort alike."""
    for w in range(3):
        word = i8(0)
        for j in range(6):
            word = (word << 8) | i8(address[6 * w + j])
        words[w] = word
    words[3] = (i8(address[18]) << 40) | (i8(address[19]) << 32) | i8(sub)


@helper
def bytes_equal(a, b):
    """Whether two addresses are equal."""
    differs = 0
    for j in range(20):
        differs |= a[j] ^ b[j]
    return differs == 0


@helper
def bytes_copy(target, source):
    for j in range(target.shape[0]):
        target[j] = source[j]


@helper
def bytes_zero(target):
    for j in range(target.shape[0]):
        target[j] = 0


@helper
def bytes_any(a):
    found = 0
    for j in range(20):
        found |= a[j]
    return found != 0


@helper
def account_seek(s, address, sub):
    """Slot of the account with the greatest key <= (address, sub)."""
    key_words(s.probe, address, sub)
    return tree_floor(
        s.account_child, s.account_bit, s.account_keys, s.key_roots[ACCOUNT_TREE], s.probe
    )


@helper
def account_at(s, address, sub):
    """Slot of an account, or 0."""
    slot = account_seek(s, address, sub)
    row = s.accounts[slot]
    if slot and i8(row["sub"]) == sub and bytes_equal(row["address"], address):
        return slot
    return i8(0)


@helper
def account_index(s, slot):
    key_words(s.account_keys[slot], s.accounts[slot]["address"], i8(s.accounts[slot]["sub"]))
    tree_insert(
        s.account_child,
        s.account_bit,
        s.account_keys,
        s.key_roots,
        ACCOUNT_TREE,
        s.tree_meta[ACCOUNT_TREE],
        slot,
    )


@helper
def open_account(s, address, sub):
    """Insert an empty account between its neighbours in key order; return its slot."""
    before = account_seek(s, address, sub)
    slot = s.ledger[0]["accounts_high"]
    s.ledger[0]["accounts_high"] = slot + 1
    row = s.accounts[slot]
    neighbour = s.accounts[before]
    bytes_copy(row["address"], address)
    row["sub"] = sub
    bytes_copy(row["next_address"], neighbour["next_address"])
    row["next_sub"] = neighbour["next_sub"]
    bytes_copy(neighbour["next_address"], address)
    neighbour["next_sub"] = sub
    account_index(s, slot)
    s.accounts_dirty[slot] = 1
    s.accounts_dirty[before] = 1
    return slot


@helper
def session_seek(s, agent):
    key_words(s.probe, agent, 0)
    return tree_floor(
        s.session_child, s.session_bit, s.session_keys, s.key_roots[SESSION_TREE], s.probe
    )


@helper
def session_at(s, agent):
    """Slot of the live session of that key, or 0."""
    slot = session_seek(s, agent)
    if slot and bytes_equal(s.sessions[slot]["agent"], agent):
        return slot
    return i8(0)


@helper
def session_index(s, slot):
    key_words(s.session_keys[slot], s.sessions[slot]["agent"], 0)
    tree_insert(
        s.session_child,
        s.session_bit,
        s.session_keys,
        s.key_roots,
        SESSION_TREE,
        s.tree_meta[SESSION_TREE],
        slot,
    )


@helper
def session_unindex(s, slot):
    tree_remove(
        s.session_child,
        s.session_bit,
        s.session_keys,
        s.key_roots,
        SESSION_TREE,
        s.tree_meta[SESSION_TREE],
        slot,
    )


@helper
def nonces_seek(s, signer):
    key_words(s.probe, signer, 0)
    return tree_floor(s.nonce_child, s.nonce_bit, s.nonce_keys, s.key_roots[NONCE_TREE], s.probe)


@helper
def nonces_index(s, slot):
    key_words(s.nonce_keys[slot], s.nonces[slot]["signer"], 0)
    tree_insert(
        s.nonce_child,
        s.nonce_bit,
        s.nonce_keys,
        s.key_roots,
        NONCE_TREE,
        s.tree_meta[NONCE_TREE],
        slot,
    )


@helper
def nonces_unindex(s, slot):
    tree_remove(
        s.nonce_child,
        s.nonce_bit,
        s.nonce_keys,
        s.key_roots,
        NONCE_TREE,
        s.tree_meta[NONCE_TREE],
        slot,
    )


@helper
def nonce_cell(s, row, k):
    """Cell and place in it of a signer's k-th nonce."""
    return i8(s.nonces_first[row]) + k // NONCES_PER_CELL, k % NONCES_PER_CELL


# --- price levels --------------------------------------------------------------------------------
@helper
def level_rank(side, price):
    """Key of a level in its tree: smaller is better."""
    if side == BUY:
        return PRICE_TICKS_MAX - price
    return price


@helper
def level_seek(s, market, side, price):
    """Level at `price` or the next better one of that book side; 0 if none is as good.

    The cache remembers where levels were last found; what it says is checked against the row, so
    that a level which is gone, or another one in the same place, only costs the search.
    """
    place = (price * 64 + 2 * market + side) & (LEVEL_CACHE - 1)
    slot = i8(s.level_cache[place])
    row = s.levels[slot]
    if row["price"] == price and i8(row["market"]) == market and i8(row["side"]) == side:
        return slot
    s.probe[0] = level_rank(side, price)
    root = s.level_roots[2 * market + side]
    slot = tree_floor(s.level_child, s.level_bit, s.level_keys, root, s.probe)
    if slot <= 0:
        return i8(0)
    if s.levels[slot]["price"] == price:
        s.level_cache[place] = slot
    return slot


@helper
def level_index(s, slot):
    row = s.levels[slot]
    side = i8(row["side"])
    s.level_keys[slot, 0] = level_rank(side, row["price"])
    tree_insert(
        s.level_child,
        s.level_bit,
        s.level_keys,
        s.level_roots,
        2 * i8(row["market"]) + side,
        s.tree_meta[LEVEL_TREE],
        slot,
    )


@helper
def level_insert(s):
    """A zeroed level row: the slot freed last, else the next unused one."""
    ledger = s.ledger[0]
    slot = ledger["levels_free"]
    if slot:
        ledger["levels_free"] = i8(s.levels[slot]["worse"])
        s.levels[slot]["worse"] = 0
    else:
        slot = ledger["levels_high"]
        ledger["levels_high"] = slot + 1
    s.levels_dirty[slot] = 1
    return slot


@helper
def level_free(s, slot):
    row = s.levels[slot]
    tree_remove(
        s.level_child,
        s.level_bit,
        s.level_keys,
        s.level_roots,
        2 * i8(row["market"]) + i8(row["side"]),
        s.tree_meta[LEVEL_TREE],
        slot,
    )
    row["price"] = 0
    row["lots"] = 0
    row["market"] = 0
    row["side"] = 0
    row["head"] = 0
    row["tail"] = 0
    row["better"] = 0
    row["orders_count"] = 0
    row["worse"] = s.ledger[0]["levels_free"]
    s.ledger[0]["levels_free"] = slot
    s.levels_dirty[slot] = 1


# --- order rows ----------------------------------------------------------------------------------
@helper
def order_insert(s):
    """An order row with its free link cleared: the slot freed last, else the next unused one."""
    ledger = s.ledger[0]
    slot = ledger["orders_free"]
    if slot:
        ledger["orders_free"] = i8(s.orders[slot]["newer"])
        s.orders[slot]["newer"] = 0
    else:
        slot = ledger["orders_high"]
        ledger["orders_high"] = slot + 1
    s.orders_dirty[slot] = 1
    return slot


@helper
def order_free(s, slot):
    order_unindex(s, slot)
    row = s.orders[slot]
    row["order_id"] = 0
    row["price"] = 0
    row["size"] = 0
    row["remaining"] = 0
    row["expiry_ms"] = 0
    row["cloid_hi"] = 0
    row["cloid_lo"] = 0
    row["placed_ms"] = 0
    row["account"] = 0
    row["market"] = 0
    row["level"] = 0
    row["older"] = 0
    row["account_prev"] = 0
    row["account_next"] = 0
    row["hold_ppm"] = 0
    row["side"] = 0
    row["tif"] = 0
    row["flags"] = 0
    row["group"] = 0
    row["group_slot"] = 0
    row["newer"] = s.ledger[0]["orders_free"]
    s.ledger[0]["orders_free"] = slot
    s.orders_dirty[slot] = 1


# --- positions -----------------------------------------------------------------------------------
@helper
def position_of(s, account, key):
    """Cell of the account's position of that key, or -1."""
    first = i8(s.positions_first[account])
    for k in range(i8(s.accounts[account]["positions_count"])):
        if i8(s.positions[first + k]["key"]) == key:
            return first + k
    return i8(-1)


@helper
def position_code(s, account, key):
    """Whether the account has that position row or may get it."""
    if position_of(s, account, key) >= 0:
        return OK
    if i8(s.accounts[account]["positions_count"]) >= POSITIONS_PER_ACCOUNT_MAX:
        return POSITIONS_TOO_MANY
    if s.ledger[0]["positions_live"] >= POSITIONS_MAX:
        return TABLE_FULL
    return OK


@helper
def position_open(s, account, key):
    """Cell of the position of that key, appended zeroed if it is missing."""
    cell = position_of(s, account, key)
    if cell >= 0:
        return cell
    count = i8(s.accounts[account]["positions_count"])
    size_class = i8(s.positions_class[account])
    if size_class < 0 or count == (i8(1) << size_class):
        positions_grow(s, account)
    cell = i8(s.positions_first[account]) + count
    row = s.positions[cell]
    row["key"] = key
    row["orders_count"] = 0
    row["flags"] = 0
    row["funding_index"] = 0
    row["isolated_e6"] = 0
    row["size"] = 0
    row["bids"] = 0
    row["asks"] = 0
    row["entry_e6"] = 0
    row["realized_e6"] = 0
    s.accounts[account]["positions_count"] = count + 1
    s.ledger[0]["positions_live"] += 1
    return cell


@helper
def position_close_if_empty(s, account, key, traded):
    """Drop a position row that holds nothing; the last row takes its place. See the spec."""
    cell = position_of(s, account, key)
    if cell < 0 or s.positions[cell]["size"] or s.positions[cell]["orders_count"]:
        return
    left = s.positions[cell]["isolated_e6"]
    if left:
        if not traded or left < 0:
            return
        s.accounts[account]["cash_e6"] += left
    count = i8(s.accounts[account]["positions_count"]) - 1
    last = i8(s.positions_first[account]) + count
    if cell != last:
        s.positions[cell] = s.positions[last]
    s.accounts[account]["positions_count"] = count
    s.ledger[0]["positions_live"] -= 1
    if count == 0:
        positions_release(s, account)


# --- events --------------------------------------------------------------------------------------
@helper
def emit(s, kind):
    """A fresh event of the present command with everything else zero; the caller fills it in."""
    now = s.now[0]
    at = now["events"]
    now["events"] = at + 1
    event = s.events[at]
    event["kind"] = kind
    event["end"] = 0
    event["code"] = 0
    event["bundle"] = now["bundle"]
    event["command"] = now["command"]
    event["side"] = 0
    event["zero"] = 0
    event["market"] = 0
    event["account"] = 0
    event["counter_account"] = 0
    event["order_id"] = 0
    event["counter_order_id"] = 0
    event["price"] = 0
    event["size"] = 0
    event["remaining"] = 0
    event["fee_e6"] = 0
    event["counter_fee_e6"] = 0
    event["position"] = 0
    event["counter_position"] = 0
    event["realized_e6"] = 0
    event["counter_realized_e6"] = 0
    return at


@helper
def emit_words(
    s, kind, end, code, side, market, account, counter, w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10
):
    """An event of the clearing house; words as in clearing.EVENT_WORDS_OF."""
    event = s.events[emit(s, kind)]
    event["end"] = end
    event["code"] = code
    event["side"] = side
    event["market"] = market
    event["account"] = account
    event["counter_account"] = counter
    event["order_id"] = w0
    event["counter_order_id"] = w1
    event["price"] = w2
    event["size"] = w3
    event["remaining"] = w4
    event["fee_e6"] = w5
    event["counter_fee_e6"] = w6
    event["position"] = w7
    event["counter_position"] = w8
    event["realized_e6"] = w9
    event["counter_realized_e6"] = w10


@helper
def emit_ledger(s, kind, asset, account, counter, amount, address, reference):
    """An event of the LEDGER_EVENT reading: address in the bytes of the first three words."""
    at = emit(s, kind)
    event = s.events[at]
    event["market"] = asset
    event["account"] = account
    event["counter_account"] = counter
    for w in range(3):
        word = i8(0)
        for j in range(8):
            k = 8 * w + j
            byte = i8(address[k]) if k < 20 else i8(0)
            if j < 7:
                word |= byte << (8 * j)
            else:
                # The sign byte: set through subtraction so that no shift passes int64.
                word |= (byte & 127) << 56
                if byte > 127:
                    word -= 2**62
                    word -= 2**62
        if w == 0:
            event["order_id"] = word
        elif w == 1:
            event["counter_order_id"] = word
        else:
            event["price"] = word
    event["size"] = amount
    event["remaining"] = reference


