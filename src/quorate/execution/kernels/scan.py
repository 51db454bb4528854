"""The scan of all accounts for buckets below maintenance; the same as `spec.liquidation` finds.

Two passes in one: every account is first held against a requirement that is never too small, from
numbers prepared for each market once a tick, in one walk over its contiguous position rows. Only
those that fail it, and those with options, are judged exactly, by `bucket_worth`.
"""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.accounts import gated
from quorate.execution.kernels.closing import in_bucket, workable
from quorate.execution.kernels.insurance import insurance_holds
from quorate.execution.kernels.margin import bucket_worth, clears
from quorate.execution.kernels.rows import emit_words, position_of
from quorate.execution.kernels.scalars import products_in_order
from quorate.types.clearing_codes import Standing, Switch
from quorate.types.codes import EventKind, MarketKind
from quorate.types.limits import (
    DEBTS_DUST_E6,
    DEBTS_FUND_PART,
    INSURANCE_MAX_E6,
    LIQUIDATION_TURNS_PER_TICK,
    LIQUIDATIONS_PER_TICK_MAX,
    MARGIN_RATE_MAX_PPM,
    POSITION_NOTIONAL_MAX_E6,
    POSITIONS_PER_ACCOUNT_MAX,
    PPM,
    TIERS_PER_SCHEDULE,
)
from quorate.types.records import ASSET_KEY, POSITION_ISOLATED

i8 = np.int64
CROSS = 0
WORST = LIQUIDATIONS_PER_TICK_MAX - LIQUIDATION_TURNS_PER_TICK
HEALTHY = int(Standing.HEALTHY)
SWITCHED, SWITCH_GATE = int(EventKind.SWITCHED), int(Switch.GATE)
PERPETUAL, SERIES = int(MarketKind.PERPETUAL), int(MarketKind.SERIES)
SHIFT = 20  # a worth is divided by 2**SHIFT instead of PPM, and the rate multiplied
BELOW = (1 << SHIFT) - 1
LEGACY, CLEARED, OPTIONS = 1, 2, 3
# Funding beyond these is not estimated.
FUNDING_STEP_MAX = 2**31
FUNDING_OWED_MAX = POSITION_NOTIONAL_MAX_E6
assert PPM < 2**SHIFT
# A worth's estimate, of the riskiest side of a position, and 64 of them beside equity.
MOST = (2 * POSITION_NOTIONAL_MAX_E6 // 2**SHIFT + 1) * (
    (MARGIN_RATE_MAX_PPM * 2**SHIFT + PPM - 1) // PPM
)
assert POSITIONS_PER_ACCOUNT_MAX * MOST < 2**61


@helper
def scan_prepare(s):
    """Note what the walk needs of each market."""
    for market in range(s.ledger[0]["markets_high"]):
        row = s.markets[market]
        noted = s.scanned[market]
        noted["mode"] = 0
        noted["barren_long"] = 0
        noted["barren_short"] = 0
        if row["kind"] == SERIES:
            noted["mode"] = OPTIONS
        if row["kind"] != PERPETUAL:
            continue
        noted["lot_e6"] = row["mark_ticks"] * row["quantum_e6"]
        at = row["margin_schedule"] * TIERS_PER_SCHEDULE
        rate = s.margin_tiers[at]["rate_ppm"]
        for k in range(at + 1, at + TIERS_PER_SCHEDULE):
            if s.margin_tiers[k]["used"]:
                rate = max(rate, s.margin_tiers[k]["rate_ppm"])
        noted["rate"] = (rate * (i8(1) << SHIFT) + PPM - 1) // PPM
        noted["mode"] = CLEARED if clears(s, market) else LEGACY
        noted["index"] = 0
        noted["shift"] = 0
        if market < s.ledger[0]["risk_high"]:
            noted["index"] = s.risk[market]["funding_index"]
            noted["shift"] = s.risk[market]["funding_shift"]


@helper
def scan_all(s):
    """Find the worst buckets below maintenance that can be worked on, and what all owe."""
    s.closing[0]["count"] = 0
    s.closing[0]["found"] = 0
    s.closing[0]["turns"] = 0
    scan_prepare(s)
    accounts = s.accounts
    firsts = s.positions_first
    cells = s.positions
    scanned = s.scanned
    vault = s.ledger[0]["vault"]
    debtors = s.ledger[0]["debtors_count"] != 0
    debts = i8(0)
    for account in range(1, s.ledger[0]["accounts_high"]):
        row = accounts[account]
        count = i8(row["positions_count"])
        sound = not (debtors and row["standing"] != 0)
        room = row["cash_e6"] - row["held_e6"]
        if count == 0 and sound and room >= 0:
            continue
        first = i8(firsts[account])
        for cell in range(first, first + count):
            position = cells[cell]
            key = i8(position["key"])
            if key >= ASSET_KEY:
                continue
            noted = scanned[key]
            size = position["size"]
            lots = abs(size)
            worth = noted["lot_e6"] * size
            move = noted["index"] - position["funding_index"]
            if move != 0:
                move = move >> noted["shift"]
                if abs(move) >= FUNDING_STEP_MAX or abs(size * move) >= FUNDING_OWED_MAX:
                    sound = False
                    break
                worth -= size * move + max(size, i8(0))
            if noted["mode"] != CLEARED:
                if noted["mode"] == OPTIONS:
                    sound = False
                    break
                lots = max(abs(size + position["bids"]), abs(size - position["asks"]))
            value = noted["lot_e6"] * lots
            part = (value & BELOW) * noted["rate"] + BELOW
            need = (value >> SHIFT) * noted["rate"] + (part >> SHIFT)
            if i8(position["flags"]) & POSITION_ISOLATED:
                if position["isolated_e6"] + worth < need:
                    sound = False
            else:
                room += worth - need
        if not sound or room < 0:
            debts = min(debts + judge(s, account, account != vault), i8(INSURANCE_MAX_E6))
    turns_add(s)
    debts_note(s, debts)


@helper
def debts_note(s, debts):
    """Note what all buckets below zero owe; see the spec."""
    ledger = s.ledger[0]
    debts = max(debts - ledger["insurance_e6"] // DEBTS_FUND_PART, i8(0))
    closed = ledger["debts_e6"] > DEBTS_DUST_E6
    before = i8(1) if gated(s) else i8(0)
    ledger["debts_e6"] = debts
    if closed == (debts > DEBTS_DUST_E6):
        return
    after = i8(1) if gated(s) else i8(0)
    until_ms = ledger["gate_until_ms"]
    zero = i8(0)
    emit_words(
        s, SWITCHED, zero, SWITCH_GATE, zero, zero, zero, zero,
        after, before, until_ms, zero, zero, zero, zero, zero, zero, zero, zero,
    )  # fmt: skip


@helper
def judge(s, account, works):
    """Judge every bucket of an account exactly; return what those below zero owe together.

    works: whether to note buckets to be worked on (not the vault's), and to drop the mark of a
    debtor that is none any more.
    """
    debt = consider(s, account, i8(CROSS), works)
    first = i8(s.positions_first[account])
    for cell in range(first, first + i8(s.accounts[account]["positions_count"])):
        if i8(s.positions[cell]["flags"]) & POSITION_ISOLATED:
            debt += consider(s, account, i8(s.positions[cell]["key"]), works)
            debt = min(debt, i8(INSURANCE_MAX_E6))
    if works and s.accounts[account]["standing"] and debt == 0:
        debtor_mark(s, account, HEALTHY)
    return debt


@helper
def consider(s, account, bucket, works):
    """Note a bucket if it is below maintenance and can be worked on; return what it owes."""
    bucket_worth(s, account, bucket)
    equity = s.now[0]["equity"]
    kept = s.now[0]["maintenance"]
    if works:
        below = equity < kept and workable(s, account, bucket)
        if below or coverable(s, account, bucket):
            candidate_add(s, account, bucket, equity, kept)
    return min(max(-equity, i8(0)), i8(INSURANCE_MAX_E6))


@helper
def coverable(s, account, bucket):
    """Whether a bucket without lots is in debt and its funds can pay of that."""
    return debt_without_lots(s, account, bucket) > 0 and insurance_holds(s, bucket) > 0


@helper
def debt_without_lots(s, account, bucket):
    """What a bucket owes once its positions are closed; the cross bucket where series settle."""
    if bucket == CROSS:
        if s.ledger[0]["series_high"] == 0:
            return i8(0)
        first = i8(s.positions_first[account])
        for at in range(first, first + i8(s.accounts[account]["positions_count"])):
            if in_bucket(s, at, bucket) and s.positions[at]["size"] != 0:
                return i8(0)
        return max(-s.accounts[account]["cash_e6"], i8(0))
    cell = position_of(s, account, bucket)
    if cell < 0 or s.positions[cell]["size"] != 0:
        return i8(0)
    return max(-s.positions[cell]["isolated_e6"], i8(0))


@helper
def candidate_add(s, account, bucket, equity, kept):
    """Put a bucket in its place among the worst; of too many the best falls out.

    The first ones from the ledger's cursor on are noted besides, for their turn.
    """
    closing = s.closing[0]
    closing["found"] += 1
    turns = closing["turns"]
    if turns < LIQUIDATION_TURNS_PER_TICK:
        if account >= s.ledger[0]["scan_cursor"]:
            candidate_write(s.turns[turns], account, bucket, equity, kept)
            closing["turns"] = turns + 1
    count = closing["count"]
    at = count
    if count == WORST:
        if not goes_before(s, account, bucket, equity, kept, count - 1):
            return
        at = count - 1
    else:
        closing["count"] = count + 1
    while at > 0 and goes_before(s, account, bucket, equity, kept, at - 1):
        s.candidates[at] = s.candidates[at - 1]
        at -= 1
    candidate_write(s.candidates[at], account, bucket, equity, kept)


@helper
def candidate_write(row, account, bucket, equity, kept):
    """Write a candidate."""
    row["account"] = account
    row["bucket"] = bucket
    row["equity"] = equity
    row["maintenance"] = kept


@helper
def turns_add(s):
    """Behind the worst, when there are more of them than places: those whose turn it is."""
    closing = s.closing[0]
    cursor = i8(0)
    if closing["found"] > WORST:
        turns = closing["turns"]
        if turns == LIQUIDATION_TURNS_PER_TICK:
            # The last account may have more buckets; one that fills all places is passed.
            cursor = i8(s.turns[turns - 1]["account"])
            if s.turns[0]["account"] == cursor:
                cursor += 1
        for k in range(turns):
            row = s.turns[k]
            account, bucket = row["account"], row["bucket"]
            equity, kept = row["equity"], row["maintenance"]
            last = s.candidates[WORST - 1]
            chosen = account == last["account"] and bucket == last["bucket"]
            if chosen or goes_before(s, account, bucket, equity, kept, WORST - 1):
                continue
            at = closing["count"]
            closing["count"] = at + 1
            while at > WORST and goes_before(s, account, bucket, equity, kept, at - 1):
                s.candidates[at] = s.candidates[at - 1]
                at -= 1
            candidate_write(s.candidates[at], account, bucket, equity, kept)
    s.ledger[0]["scan_cursor"] = cursor


@helper
def goes_before(s, account, bucket, equity, kept, at):
    """Whether a bucket has its turn before candidate `at`."""
    other = s.candidates[at]
    if not products_in_order(other["equity"], kept, equity, other["maintenance"]):
        return True
    if not products_in_order(equity, other["maintenance"], other["equity"], kept):
        return False
    if account != other["account"]:
        return account < other["account"]
    return bucket < other["bucket"]


@helper
def debtor_mark(s, account, standing):
    """Note in an account's row whether it owes what nobody covered, and count those that do."""
    row = s.accounts[account]
    if i8(row["standing"]) == standing:
        return
    row["standing"] = standing
    s.accounts_dirty[account] = 1
    s.ledger[0]["debtors_count"] += 1 if standing else -1
