"""Small states, all of them: nobody's own order makes a sound bucket liquidatable.

Ann has a position in each of two markets with a clearing house, some money and some open orders;
Bob makes the book, Cat is its other side. One order of hers is judged and matched by the spec.
Numbers are small enough to list: a lot is worth 100 units, maintenance is a tenth of that.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product

import pytest

from quorate.execution.image import tables_of
from quorate.execution.machine import genesis_image
from quorate.execution.spec import orders
from quorate.execution.spec.accounts import account_at, open_account
from quorate.execution.spec.context import Context, Receipt
from quorate.execution.spec.margin import Worth, bucket_worth
from quorate.execution.spec.rows import Position
from quorate.execution.spec.tables import Tables
from quorate.execution.spec.takers import Taker
from quorate.types.blocks import FeeTier, MarginTier
from quorate.types.codes import Flag, Reject, Tif
from quorate.types.records import POSITION_ISOLATED, Table
from tests.execution.clearing import OTHER, clearing_genesis
from tests.execution.exchange import PERP, ROOMY, TIME_MS, address

MARK = 100
CASH = 10**9


@dataclass(frozen=True)
class Case:
    """What is listed: sizes in lots, Ann's equity, her order."""

    size: int
    other: int
    equity: int
    side: int
    price: int
    lots: int
    isolated: bool = False
    market: bool = False


def ground() -> Tables:
    """A venue with two accounts of means and a ladder of Bob's on both sides."""
    base = replace(
        ROOMY,
        fee_schedules=((FeeTier(0, 2_000, 5_000),), (FeeTier(0, 0, 0),)),
        margin_schedules=((MarginTier(0, 5), MarginTier(300, 2)),),
        assets=ROOMY.assets,
    )
    markets = tuple(
        replace(each, quantum_e6=1, mark_ticks=MARK, price_max_ticks=1000, slippage_max_ppm=300_000)
        if each.kind == 2
        else each
        for each in base.markets
    )
    genesis = clearing_genesis(replace(base, markets=markets))
    genesis = replace(genesis, fee_schedules=base.fee_schedules)
    t = tables_of(genesis_image(genesis))
    for name in ("ann", "bob", "cat"):
        open_account(t, address(name), 0)
    for name in ("bob", "cat"):
        slot = account_at(t, address(name), 0)
        row = t.row(Table.ACCOUNTS, slot)
        row.cash_e6 = CASH
        t.put(Table.ACCOUNTS, slot, row)
    c = Context(t, 1, TIME_MS + 1000)
    c.account = account_at(t, address("bob"), 0)
    for price, lots in ((98, 1), (95, 2), (80, 9)):
        assert not orders.place(c, Taker(PERP, 0, Tif.GTC, 0, price, lots), Receipt())
    for price, lots in ((102, 1), (105, 2), (120, 9)):
        assert not orders.place(c, Taker(PERP, 1, Tif.GTC, 0, price, lots), Receipt())
    return t


def copied(base: Tables) -> Tables:
    """A copy: rows are replaced, never changed, but for the ledger's counts."""
    t = Tables()
    t.rows = {table: dict(rows) for table, rows in base.rows.items()}
    t.rows[Table.LEDGER][0] = base.row(Table.LEDGER, 0)
    t._keys = {table: list(keys) for table, keys in base._keys.items()}
    t._order_slots = dict(base._order_slots)
    t._client_slots = dict(base._client_slots)
    return t


def state_of(base: Tables, case: Case) -> Tables:
    """The ground with Ann in it; Cat holds the other side of what she has."""
    t = copied(base)
    ann, cat = account_at(t, address("ann"), 0), account_at(t, address("cat"), 0)
    own, others = t.row(Table.ACCOUNTS, ann), t.row(Table.ACCOUNTS, cat)
    flags = POSITION_ISOLATED if case.isolated else 0
    for key, size in ((PERP, case.size), (OTHER, case.other)):
        if not size:
            continue
        own.positions.append(Position(key=key, size=size, entry_e6=abs(size) * MARK))
        others.positions.append(Position(key=key, size=-size, entry_e6=abs(size) * MARK))
        market = t.row(Table.MARKETS, key)
        market.open_interest_lots += abs(size)
        t.put(Table.MARKETS, key, market)
    if case.isolated:
        if not case.size:
            own.positions.insert(0, Position(key=PERP))
        own.positions[0].flags = flags
        own.positions[0].isolated_e6 = case.equity - case.size * MARK
        own.cash_e6 = 200 * abs(case.other)
    else:
        own.cash_e6 = case.equity - (case.size + case.other) * MARK
    t.put(Table.ACCOUNTS, ann, own)
    t.put(Table.ACCOUNTS, cat, others)
    return t


def money(t: Tables) -> int:
    """All money there is."""
    rows = t.rows[Table.ACCOUNTS].values()
    total = sum(row.cash_e6 + sum(p.isolated_e6 for p in row.positions) for row in rows)
    funds = sum(r.funding_pool_e6 + r.insurance_e6 for r in t.rows[Table.RISK].values())
    return int(total + t.row(Table.LEDGER, 0).fees_e6 + funds)


def ratio(worth: Worth) -> Fraction | None:
    """Equity over initial margin, exactly; None where nothing is required."""
    return Fraction(worth.equity, worth.initial) if worth.initial else None


def judge(base: Tables, case: Case) -> Reject:
    """Place the order and hold what must not happen against the state after it."""
    t = state_of(base, case)
    ann = account_at(t, address("ann"), 0)
    bucket = PERP if case.isolated else 0
    before, had = bucket_worth(t, t.row(Table.ACCOUNTS, ann), bucket), money(t)
    flags = Flag.MARKET if case.market else 0
    tif = Tif.IOC if case.market else Tif.GTC
    c = Context(t, 1, TIME_MS + 1000)
    c.account = ann
    price = 0 if case.market else case.price
    taker = Taker(PERP, case.side, tif, int(flags), price, case.lots)
    code = orders.place(c, taker, Receipt())
    assert money(t) == had
    row = t.row(Table.ACCOUNTS, ann)
    closed = case.isolated and not any(p.key == PERP for p in row.positions)
    after = Worth() if closed else bucket_worth(t, row, bucket)
    if code:
        assert (after.equity, after.initial) == (before.equity, before.initial)
        return code
    if before.equity >= before.maintenance:
        assert after.equity >= after.maintenance, case
    assert row.cash_e6 >= 0 or not closed, case
    if before.equity >= before.initial and (case.size == 0 or case.size * (1 - 2 * case.side) > 0):
        assert after.equity >= after.initial, case  # what only grows stays within the entry rule
    if before.equity < before.initial and before.clears:
        filled = taker.filled
        assert filled <= abs(case.size) and (case.size > 0) == (case.side == 1), case
        old, new = ratio(before), ratio(after)
        if old is not None and new is not None:
            # The fee of an order is rounded up once.
            assert new + Fraction(1, after.initial) >= old, case
    return code


@pytest.mark.slow
@pytest.mark.parametrize("isolated", [False, True])
def test_no_own_order_makes_a_sound_bucket_liquidatable(isolated: bool) -> None:
    base, seen = ground(), dict[Reject, int]()
    sizes = (-4, -2, -1, 0, 1, 2, 4)
    equities = (-20, -1, 0, 5, 10, 19, 20, 21, 30, 40, 41, 55, 60, 80, 120, 200, 300)
    prices = (80, 95, 98, 100, 102, 105, 120)
    for size, other, equity, side, lots in product(
        sizes, (0,) if isolated else (-1, 0, 2), equities, (0, 1), (1, 3, 4)
    ):
        for price in (*prices, 0):
            case = Case(size, other, equity, side, price, lots, isolated, price == 0)
            code = judge(base, case)
            seen[code] = seen.get(code, 0) + 1
    assert seen[Reject.OK] > 1000
    assert seen[Reject.PRE_LIQUIDATION_REDUCE_AT_BETTER_PRICE] > 1000
    assert seen[Reject.MARGIN_INSUFFICIENT_DEPOSIT_OR_REDUCE] > 500


def hit(base: Tables, case: Case) -> tuple[int, int]:
    """Rest Ann's order while she has means, then have Cat meet it; give the lots that traded.

    What must hold is as for a taker: a sound bucket stays above maintenance, and one below initial
    margin only reduces, without a fall of equity over initial margin.
    """
    rich = replace(case, equity=CASH)
    t = state_of(base, rich)
    ann, cat = account_at(t, address("ann"), 0), account_at(t, address("cat"), 0)
    c = Context(t, 1, TIME_MS + 1000)
    c.account = ann
    resting = Taker(PERP, case.side, Tif.GTC, 0, case.price, case.lots)
    assert not orders.place(c, resting, Receipt())
    row = t.row(Table.ACCOUNTS, ann)
    bucket = PERP if case.isolated else 0
    less = bucket_worth(t, row, bucket).equity - case.equity
    if case.isolated:
        held = next(p for p in row.positions if p.key == PERP)
        held.isolated_e6 -= less
    else:
        row.cash_e6 -= less
    t.put(Table.ACCOUNTS, ann, row)
    before, had = bucket_worth(t, row, bucket), money(t)
    size = next((p.size for p in row.positions if p.key == PERP), 0)
    c.account = cat
    order = Taker(PERP, 1 - case.side, Tif.IOC, 0, case.price, case.lots)
    orders.place(c, order, Receipt())
    assert money(t) == had
    row = t.row(Table.ACCOUNTS, ann)
    now = next((p.size for p in row.positions if p.key == PERP), 0)
    closed = case.isolated and not any(p.key == PERP for p in row.positions)
    after = Worth() if closed else bucket_worth(t, row, bucket)
    if before.equity >= before.maintenance:
        assert after.equity >= after.maintenance, case
    assert row.cash_e6 >= 0 or not closed, case
    if now != size and before.equity < before.initial and before.clears:
        assert abs(now) <= abs(size) and now * size >= 0, case
        old, new = ratio(before), ratio(after)
        if old is not None and new is not None:
            assert new + Fraction(1, after.initial) >= old, case
    return abs(now - size), case.lots


@pytest.mark.slow
@pytest.mark.parametrize("isolated", [False, True])
def test_no_resting_order_makes_a_sound_bucket_liquidatable(isolated: bool) -> None:
    base = ground()
    whole = part = none = 0
    sizes = (-4, -2, -1, 1, 2, 4) if isolated else (-4, -2, -1, 0, 1, 2, 4)
    equities = (-20, -1, 0, 5, 10, 19, 20, 21, 30, 40, 41, 55, 60, 80, 120, 200, 300)
    for size, other, equity, side, lots, price in product(
        sizes, (0,) if isolated else (-1, 0, 2), equities, (0, 1), (1, 3, 4), (99, 100, 101)
    ):
        traded, wanted = hit(base, Case(size, other, equity, side, price, lots, isolated))
        whole += traded == wanted
        part += 0 < traded < wanted
        none += traded == 0
    assert min(whole, part, none) > 100
