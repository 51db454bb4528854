"""Price-time priority as a list: what matching must do, written without a single link.

For limit, market, immediate, fill-or-kill and post-only orders of accounts that never lack margin,
never meet themselves and never pass the work bounds.
"""

from dataclasses import dataclass, field

BUY, SELL = 0, 1


@dataclass
class Resting:
    order_id: int
    owner: str
    side: int
    price: int
    lots: int


@dataclass
class NaiveBook:
    """`orders` in order of arrival. Everything else is found by looking at all of them."""

    orders: list[Resting] = field(default_factory=list)
    last_id: int = 0

    def matching(self, side: int, price: int | None) -> list[Resting]:
        """Resting orders that an order would meet, in the order in which it would."""
        other = [one for one in self.orders if one.side != side]
        if price is not None:
            sign = 1 if side == BUY else -1
            other = [one for one in other if sign * one.price <= sign * price]
        return sorted(other, key=lambda one: one.price if side == BUY else -one.price)

    def place(
        self, owner: str, side: int, price: int | None, lots: int, tif: str, post: str = ""
    ) -> tuple[str, list[tuple[int, int, int]], int]:
        """Result, fills as (maker's id, lots, price), and what rests. `price` None: market."""
        found = self.matching(side, price)
        if post:
            if found and post == "reject":
                return "POST_ONLY_WOULD_CROSS", [], 0
            if found:
                price = found[0].price + (1 if side == SELL else -1)
            found = []
        if price is None and not found:
            return "NO_LIQUIDITY_FOR_MARKET_ORDER", [], 0
        if tif == "ioc" and not found:
            return "IMMEDIATE_WOULD_NOT_FILL", [], 0
        if tif == "fok" and sum(one.lots for one in found) < lots:
            return "FILL_OR_KILL_NOT_FILLABLE", [], 0
        self.last_id += 1
        filled = []
        for maker in found:
            taken = min(lots, maker.lots)
            if taken:
                filled.append((maker.order_id, taken, maker.price))
            maker.lots -= taken
            lots -= taken
        self.orders = [one for one in self.orders if one.lots]
        if tif == "gtc" and lots:
            assert price is not None
            self.orders.append(Resting(self.last_id, owner, side, price, lots))
            return "OK", filled, lots
        return "OK", filled, 0

    def cancel(self, owner: str, order_id: int) -> str:
        """Take an own order out."""
        for one in self.orders:
            if one.order_id == order_id and one.owner == owner:
                self.orders.remove(one)
                return "OK"
        return "ORDER_NOT_FOUND"

    def shrink(self, owner: str, order_id: int, lots: int) -> None:
        """Make an order smaller where it stands."""
        for one in self.orders:
            if one.order_id == order_id and one.owner == owner:
                one.lots = lots
