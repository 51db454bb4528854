"""The language of tests/tables/*.txt: what people say, and what the exchange answers.

    fund ann 1000 [btc 500]                deposits, USD and units of BTC
    limits fills 3 examined 5 orders 5     a new exchange with these bounds
    mark perp 90000                        the oracle speaks
    wait 5000                              an empty block so many ms later
    ann: buy perp 5 @ 99000 post; cancel #1     a block of one bundle, a second after the last
    ann/1: ...      bot for ann: ...       for a subaccount; as a session key
    ann nonce=-5 expiry=9: ...             relative to the block's time, in ms
    all: ann buy perp 1 @ 5 | ben ...      several bundles in one block
    book perp      show ann      nonces ann      maintenance perp 150000000

Orders: buy|sell perp|spot LOTS @ PRICE, or LOTS market; gtt=MS ioc fok post slide reduce
stp=maker|taker|both|reduce master id=N. Others: cancel #N|id=N|all, modify #N|id=N SIZE @ PRICE,
deadman MS|off, approve NAME until=MS order=USD position=USD leverage=E2, revoke NAME, open SUB,
withdraw usd|btc N, transfer usd|btc N NAME[/SUB], status perp WORD, fees SLOT VOLUME MAKER TAKER.
"""

from dataclasses import replace
from typing import Any

from quorate.codec import commands as c
from quorate.execution import rules
from quorate.execution.spec.margin import assess, margin_tier
from quorate.types.codes import (
    End,
    EventKind,
    Flag,
    MarketStatus,
    Reject,
    Side,
    Stp,
    Tif,
)
from quorate.types.records import ASSET_KEY, Table
from tests.execution.exchange import GENESIS, PERP, SPOT, USD, Exchange, address

MARKETS = {"perp": PERP, "spot": SPOT}
ASSETS = {"usd": 0, "btc": 1}
FLAGS = {
    "post": Flag.POST_ONLY, "slide": Flag.SLIDE, "reduce": Flag.REDUCE_ONLY,
    "master": Flag.STP_MASTER, "market": Flag.MARKET,
}  # fmt: skip
MODES = {"maker": 0, "taker": 1, "both": 2, "reduce": 3}
assert list(MODES.values()) == [int(mode) for mode in Stp]


def money(e6: int) -> str:
    """USD with as many decimals as it has."""
    text = f"{'-' if e6 < 0 else ''}{abs(e6) // USD}.{abs(e6) % USD:06}"
    return text.rstrip("0").rstrip(".")


class Script:
    """Runs lines on an exchange and writes the answers."""

    def __init__(self) -> None:
        self.x = Exchange()

    def line(self, line: str) -> list[str]:
        """Answer one line."""
        word, *rest = line.split()
        directive = getattr(self, f"do_{word.rstrip(':')}", None)
        if directive is not None:
            return list(directive(*rest) or [])
        return self.answers(self.x.rows(self.bundle(line)))

    def do_all(self, *words: str) -> list[str]:
        bundles = [self.bundle(part) for part in " ".join(words).split("|")]
        return self.answers(self.x.rows(*bundles))

    def do_limits(self, *words: str) -> None:
        bounds = dict(zip(words[::2], map(int, words[1::2]), strict=True))
        self.x = Exchange(
            replace(
                GENESIS,
                fills_per_command_max=bounds["fills"],
                orders_examined_per_command_max=bounds["examined"],
                orders_per_account_max=bounds["orders"],
            )
        )

    def do_fund(self, name: str, usd: str, _: str = "", btc: str = "0") -> None:
        self.x.fund(name, usd=int(usd), btc=int(btc))

    def do_mark(self, market: str, ticks: str) -> None:
        self.x.ok("oracle", c.SetMark(MARKETS[market], int(ticks)))

    def do_wait(self, step_ms: str) -> list[str]:
        return self.answers(self.x.rows(step_ms=int(step_ms)))

    # --- reading -----------------------------------------------------------------------------
    def bundle(self, line: str) -> Any:
        head, _, body = line.partition(":")
        who, *options = head.split()
        now = self.x.time_ms + 1000
        named = {key: int(value) for key, _, value in (one.partition("=") for one in options
                                                       if "=" in one)}
        owner, _, sub = who.partition("/")
        account = self.x.account(owner, int(sub)) if sub else 0
        if "for" in options:
            account = self.x.account(options[options.index("for") + 1])
        nonce = now + named["nonce"] if "nonce" in named else 0
        expiry = now + named["expiry"] if "expiry" in named else 0
        commands = [self.command(words.split(), now) for words in body.split(";")]
        return self.x.row(address(owner), *commands, account=account, nonce=nonce, expiry=expiry)

    def command(self, words: list[str], now: int) -> c.Command:
        op, *rest = words
        named = {key: value for key, _, value in (word.partition("=") for word in rest)
                 if value}
        if op in ("buy", "sell"):
            return self.order(op, rest, named, now)
        if op == "cancel":
            if rest[0] == "all":
                return c.CancelAll(MARKETS[rest[1]] if len(rest) > 1 else 0)
            return c.CancelClient(int(named["id"])) if named else c.Cancel(int(rest[0][1:]))
        if op == "modify":
            flags = sum(int(FLAGS[word]) for word in rest if word in FLAGS)
            flags |= MODES[named.get("stp", "maker")] << Flag.STP_SHIFT
            price = int(rest[rest.index("@") + 1])
            if rest[0].startswith("#"):
                return c.Modify(int(rest[0][1:]), price, int(rest[1]), flags)
            return c.ModifyClient(int(named["id"]), price, int(rest[1]), flags)
        if op == "deadman":
            return c.Deadman(0 if rest[0] == "off" else now + int(rest[0]))
        if op == "approve":
            until = now + int(named["until"]) if "until" in named else 0
            usd = [int(named.get(name, 0)) * USD for name in ("order", "position")]
            return c.ApproveAgent(address(rest[0]), until, *usd, int(named.get("leverage", 0)))
        return self.other(op, rest)

    def order(self, op: str, rest: list[str], named: dict[str, str], now: int) -> c.Command:
        flags = sum(int(FLAGS[word]) for word in rest if word in FLAGS)
        flags |= MODES[named.get("stp", "maker")] << Flag.STP_SHIFT
        tif = next((Tif[word.upper()] for word in rest if word in ("ioc", "fok")), Tif.GTC)
        expiry = now + int(named["gtt"]) if "gtt" in named else 0
        price = int(rest[rest.index("@") + 1]) if "@" in rest else 0
        return c.Place(
            MARKETS[rest[0]],
            int(Side.BUY if op == "buy" else Side.SELL),
            price,
            int(rest[1]),
            int(Tif.GTT if expiry else tif),
            flags,
            expiry,
            int(named.get("id", 0)),
        )

    def other(self, op: str, rest: list[str]) -> c.Command:
        if op == "revoke":
            return c.RevokeAgent(address(rest[0]))
        if op == "open":
            return c.OpenSubaccount(int(rest[0]))
        if op == "withdraw":
            return c.Withdraw(ASSETS[rest[0]], address("outside"), self.amount(*rest[:2]))
        if op == "transfer":
            name, _, sub = rest[2].partition("/")
            asset, amount = ASSETS[rest[0]], self.amount(*rest[:2])
            return c.Transfer(asset, address(name), int(sub or 0), amount)
        if op == "status":
            return c.SetStatus(MARKETS[rest[0]], int(MarketStatus[rest[1]]))
        assert op == "fees", op
        slot, volume, maker, taker = map(int, rest)
        return c.SetFeeTier(slot, volume * USD, maker, taker)

    def amount(self, asset: str, number: str) -> int:
        return int(number) * (USD if asset == "usd" else 1)

    # --- writing -----------------------------------------------------------------------------
    def name(self, account: int) -> str:
        row = self.x.lockstep.spec.tables.rows[Table.ACCOUNTS][account]
        name: str = row.address.decode().rstrip(".")
        return f"{name}/{row.sub}" if row.sub else name

    def answers(self, events: Any) -> list[str]:
        return [self.answer(event) for event in events] or ["nothing"]

    def answer(self, e: Any) -> str:
        kind, end = EventKind(int(e["kind"])), End(int(e["end"])).name
        if kind == EventKind.BUNDLE:
            return f"bundle refused: {Reject(int(e['code'])).name}"
        who = self.name(int(e["account"]))
        if kind == EventKind.RECEIPT:
            if e["code"]:
                return f"{who}: {Reject(int(e['code'])).name}"
            if not e["order_id"]:
                return f"{who}: ok" + (f", {e['size']} orders" if e["size"] else "")
            text = f"{who}: #{e['order_id']} @ {e['price']}"
            if not e["remaining"] and not e["end"]:
                return text + " ok"
            text += f" filled {e['size']}"
            return text + (f", rests {e['remaining']}" if e["remaining"] else f", {end}")
        if kind == EventKind.FILL:
            other = self.name(int(e["counter_account"]))
            text = f"fill {who} #{e['order_id']} {Side(int(e['side'])).name.lower()}s {e['size']}"
            text += f" @ {e['price']} from {other} #{e['counter_order_id']}"
            text += f", fees {money(int(e['fee_e6']))} and {money(int(e['counter_fee_e6']))}"
            text += f", positions {e['position']} and {e['counter_position']}"
            if e["realized_e6"] or e["counter_realized_e6"]:
                text += f", realized {money(int(e['realized_e6']))}"
                text += f" and {money(int(e['counter_realized_e6']))}"
            return text
        if kind in (EventKind.CANCELLED, EventKind.REDUCED):
            text = f"{kind.name.lower()} {who} #{e['order_id']} @ {e['price']}, {end}: "
            if kind == EventKind.REDUCED:
                return text + f"{e['size']} off, {e['remaining']} left"
            return text + f"{e['remaining']} of {e['size']}"
        return f"{kind.name.lower()} {who} {e['size']}"

    def do_book(self, market: str) -> list[str]:
        """Levels from the best on, and the orders of each from the oldest on."""
        t = self.x.lockstep.spec.tables
        row = t.row(Table.MARKETS, MARKETS[market])
        lines = []
        for word, slot in (("ask", row.ask_best), ("bid", row.bid_best)):
            while slot:
                level, orders = t.row(Table.LEVELS, slot), []
                at = level.head
                while at:
                    order = t.row(Table.ORDERS, at)
                    orders.append(f"#{order.order_id} {order.remaining}")
                    at = order.newer
                lines.append(f"{word} {level.price}: {', '.join(orders)}")
                slot = level.worse
        return lines or ["empty"]

    def do_show(self, who: str) -> list[str]:
        """Cash, margin and positions of an account."""
        name, _, sub = who.partition("/")
        t = self.x.lockstep.spec.tables
        row = t.row(Table.ACCOUNTS, self.x.account(name, int(sub or 0)))
        equity, initial, value = assess(t, row)
        lines = [
            f"cash {money(row.cash_e6)}, held {money(row.held_e6)}, equity {money(equity)},"
            f" initial margin {money(initial)} of {money(value)}",
        ]
        for p in row.positions:
            if p.key >= ASSET_KEY:
                lines.append(f"asset {p.key - ASSET_KEY}: {p.size}, in asks {p.asks}")
                continue
            lines.append(
                f"position {p.size}, bids {p.bids}, asks {p.asks},"
                f" cost {money(p.entry_e6)}, realized {money(p.realized_e6)}"
            )
        return lines

    def do_volume(self, who: str) -> list[str]:
        row = self.x.lockstep.spec.tables.row(Table.ACCOUNTS, self.x.account(who))
        return [f"window {row.volume_window}: {money(row.volume_cur_e6)}, before"
                f" {money(row.volume_prev_e6)}"]

    def do_maintenance(self, market: str, usd: str) -> list[str]:
        t = self.x.lockstep.spec.tables
        value = int(usd) * USD
        tier = margin_tier(t, t.row(Table.MARKETS, MARKETS[market]).margin_schedule, value)
        kept = rules.maintenance(value, tier.rate_ppm, tier.deduction_e6)
        first = rules.initial(value, tier.rate_ppm, tier.deduction_e6)
        return [f"maintenance {money(kept)}, initial {money(first)}"]

    def do_nonces(self, who: str) -> list[str]:
        """Nonces relative to the last block's time."""
        for row in self.x.lockstep.spec.tables.rows[Table.NONCES].values():
            if row.signer == address(who):
                kept = [nonce - self.x.time_ms for nonce in row.nonces]
                floor = row.floor - self.x.time_ms if row.floor else "none"
                return [f"{len(kept)} kept, {kept[0]} to {kept[-1]}, floor {floor}"]
        return ["no row"]
