"""Matching against a naive model: all short sequences of a small alphabet, and long drawn ones."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.codec import commands as c
from quorate.types.codes import EventKind, Flag, Reject, Tif
from quorate.types.records import Table
from tests.execution.exchange import PERP, ROOMY, Exchange, address, fills
from tests.execution.naive import NaiveBook

TIFS = {"gtc": int(Tif.GTC), "ioc": int(Tif.IOC), "fok": int(Tif.FOK)}
POSTS = {"": 0, "reject": int(Flag.POST_ONLY), "slide": int(Flag.POST_ONLY | Flag.SLIDE)}
# (seller or buyer, price or None for a market order, lots, time in force, post-only)
Order = tuple[int, int | None, int, str, str]
ALPHABET: list[Order] = [
    (0, 99_999, 1, "gtc", ""), (1, 100_001, 2, "gtc", ""), (0, 100_001, 1, "gtc", ""),
    (1, 99_999, 2, "gtc", ""), (0, 100_002, 3, "ioc", ""), (1, 99_998, 3, "fok", ""),
    (1, None, 2, "ioc", ""), (0, None, 2, "fok", ""), (0, 100_001, 1, "gtc", "reject"),
    (1, 99_999, 1, "gtc", "slide"), (1, 100_000, 1, "gtc", "reject"),
]  # fmt: skip


class Compared:
    """An exchange and the model side by side. Buyers and sellers are different people."""

    def __init__(self) -> None:
        self.x = Exchange(ROOMY)
        self.book = NaiveBook()
        self.x.fund("buyer", "seller", "other", usd=10_000_000_000)

    def step(self, orders: list[Order], who: tuple[str, str] = ("buyer", "seller")) -> None:
        """Place orders in one block and compare fills, results and books."""
        rows, wanted = [], []
        for side, price, lots, tif, post in orders:
            flags = POSTS[post] | (0 if price is not None else int(Flag.MARKET))
            place = c.Place(PERP, side, price or 0, lots, TIFS[tif], flags)
            rows.append(self.x.row(address(who[side]), place))
            wanted.append(self.book.place(who[side], side, price, lots, tif, post))
        events = self.x.rows(*rows)
        receipts = events[events["kind"] == EventKind.RECEIPT]
        codes = [Reject(int(code)).name for code in receipts["code"]]
        assert codes == [result for result, _, _ in wanted]
        assert receipts["remaining"].tolist() == [rest for _, _, rest in wanted]
        assert fills(events) == [fill for _, filled, _ in wanted for fill in filled]
        self.compare()

    def compare(self) -> None:
        rows = self.x.image()[Table.ORDERS].rows
        live = {int(row["order_id"]): (int(row["price"]), int(row["remaining"])) for row in rows}
        live.pop(0, None)
        assert live == {one.order_id: (one.price, one.lots) for one in self.book.orders}

    def clear(self) -> None:
        """Empty the book and the model."""
        self.x.ok("buyer", c.CancelAll())
        self.x.ok("seller", c.CancelAll())
        self.book.orders = []


@pytest.fixture(scope="module")
def compared() -> Compared:
    return Compared()


def all_sequences(compared: Compared, length: int) -> None:
    for orders in itertools.product(ALPHABET, repeat=length):
        compared.step(list(orders))
        if compared.book.orders:
            compared.clear()


def test_all_sequences_of_two(compared: Compared) -> None:
    """Each order alone and each pair: 11 + 121 sequences."""
    all_sequences(compared, 1)
    all_sequences(compared, 2)


@pytest.mark.slow
def test_all_sequences_of_three(compared: Compared) -> None:
    """1331 sequences."""
    all_sequences(compared, 3)


def test_sampled_sequences_of_six(compared: Compared) -> None:
    rng = random.Random(6)
    for _ in range(150):
        compared.step(rng.choices(ALPHABET, k=6))
        compared.clear()


ORDERS = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.one_of(st.integers(99_995, 100_005)),
        st.integers(1, 9),
        st.sampled_from(["gtc", "gtc", "gtc", "ioc", "fok"]),
        st.just(""),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=40)
@given(ORDERS, st.integers(0, 24))
def test_drawn_sequences(compared: Compared, orders: list[Order], at: int) -> None:
    """A long block, then one resting order shrinks in place, another goes, and a sweep follows."""
    compared.clear()
    compared.step(orders)
    book = compared.book.orders
    if book:
        chosen = book[at % len(book)]
        if chosen.lots > 1:
            row = next(r for r in compared.x.image()[Table.ORDERS].rows
                       if r["order_id"] == chosen.order_id)
            size = int(row["size"]) - 1
            compared.x.ok(chosen.owner, c.Modify(chosen.order_id, chosen.price, size))
            compared.book.shrink(chosen.owner, chosen.order_id, chosen.lots - 1)
        else:
            compared.x.ok(chosen.owner, c.Cancel(chosen.order_id))
            compared.book.cancel(chosen.owner, chosen.order_id)
        compared.compare()
    for side in (0, 1):
        compared.step([(side, None, 12, "ioc", "")], who=("other", "other"))
