"""A small exchange for tests: named people, one line a bundle, spec and kernels in lockstep.

Whatever a test does here is done by both machines, compared byte for byte, and judged by the
independent checker. Market 1 is a perpetual whose lot is worth 1 USD a tick; market 2 trades BTC
against USD with ticks of 5 and lots of 10.
"""

import random
from dataclasses import replace
from typing import Any

from quorate.codec import commands as c
from quorate.execution.image import Image
from quorate.execution.machine import genesis_image
from quorate.sim.execution_fuzz import Lockstep
from quorate.sim.execution_world import Row, packed
from quorate.types.blocks import AssetSpec, FeeTier, Genesis, MarginTier, MarketSpec
from quorate.types.codes import EventKind, Reject
from quorate.types.records import Table

USD = 10**6
TIME_MS = 1_700_000_000_000
PERP, SPOT = 1, 2


def address(name: str) -> bytes:
    """Somebody's address."""
    return name.encode().ljust(20, b".")


GENESIS = Genesis(
    name="tests",
    chain_id=1,
    time_ms=TIME_MS,
    protocol_version=1,
    order_rule=0,
    fills_per_command_max=3,
    orders_examined_per_command_max=5,
    orders_per_account_max=5,
    faucet_e6_max=0,
    bridge=address("bridge"),
    governance=address("governance"),
    oracle=address("oracle"),
    assets=(AssetSpec("USD", 6), AssetSpec("BTC", 8)),
    fee_schedules=(
        (
            FeeTier(0, 150, 450),
            FeeTier(1_000_000 * USD, 100, 400),
            FeeTier(5_000_000 * USD, -50, 350),
        ),
        (FeeTier(0, 400, 700),),
    ),
    margin_schedules=((MarginTier(0, 40), MarginTier(150_000_000 * USD, 20)),),
    markets=(
        MarketSpec(
            "BTC-PERP", 2, 1, 1, USD, 200_000, 5_000, 20_000, 0, 0, 0, 0, 50_000, 100_000
        ),
        MarketSpec("BTC-USD", 1, 5, 10, 1000, 100_000, 100_000, 0, 1, 100, 0, 1, 50_000, 0),
    ),
)
ROOMY = replace(
    GENESIS,
    fills_per_command_max=100,
    orders_examined_per_command_max=100,
    orders_per_account_max=100,
)


class Exchange:
    """Both machines, a clock that moves one second a block, and everybody's nonces."""

    def __init__(self, genesis: Genesis = GENESIS) -> None:
        self.lockstep = Lockstep(genesis_image(genesis), random.Random(0))
        self.time_ms, self.height, self.nonces = genesis.time_ms, 0, 0

    def rows(self, *bundles: Row, step_ms: int = 1000) -> Any:
        """Run a block of bundles; give its events."""
        self.height += 1
        self.time_ms += step_ms
        return self.lockstep.step(packed(self.height, self.time_ms, list(bundles)))

    def row(
        self, signer: bytes, *commands: c.Command, account: int = 0, nonce: int = 0, expiry: int = 0
    ) -> Row:
        """A bundle with a fresh nonce."""
        self.nonces += 1
        data = c.encode_commands(commands)
        records = [data[at : at + 64] for at in range(0, len(data), 64)]
        return signer, account, nonce or self.time_ms + self.nonces, expiry, records

    def send(self, name: str, *commands: c.Command, step_ms: int = 1000, **bundle: int) -> Any:
        """A block of one bundle; give its events."""
        return self.rows(self.row(address(name), *commands, **bundle), step_ms=step_ms)

    def code(self, name: str, *commands: c.Command, step_ms: int = 1000, **bundle: int) -> Reject:
        """Code of the last receipt, or of the bundle."""
        return Reject(int(answers(self.send(name, *commands, step_ms=step_ms, **bundle))[-1]))

    def ok(self, name: str, *commands: c.Command, step_ms: int = 1000, **bundle: int) -> Any:
        """Events of a bundle whose every command must succeed."""
        events = self.send(name, *commands, step_ms=step_ms, **bundle)
        codes = answers(events)
        assert not codes.any(), [Reject(int(code)).name for code in codes]
        return events

    def fund(self, *names: str, usd: int = 1_000_000, btc: int = 0) -> None:
        """Deposits by the bridge."""
        for name in names:
            self.ok("bridge", c.Deposit(0, address(name), 0, usd * USD))
            if btc:
                self.ok("bridge", c.Deposit(1, address(name), 0, btc))

    def account(self, name: str, sub: int = 0) -> int:
        """Number of somebody's account."""
        rows = self.lockstep.spec.tables.rows[Table.ACCOUNTS]
        found = [at for at, row in rows.items() if (row.address, row.sub) == (address(name), sub)]
        return found[0]

    def image(self) -> Image:
        """The whole state."""
        return self.lockstep.before

    def doctor(self, table: Table, slot: int, **values: int) -> None:
        """Write into both states what no short history leads to. The checker rests from here."""
        row = self.lockstep.spec.tables.row(table, slot)
        for name, value in values.items():
            setattr(row, name, value)
            self.lockstep.kernel.rows(table)[slot][name] = value
        self.lockstep.spec.tables.put(table, slot, row)
        self.lockstep.checks = False
        self.lockstep.before = self.lockstep.spec.image()


def answers(events: Any) -> Any:
    """Codes of receipts and of refused bundles; the codes of other events mean other things."""
    kinds = events["kind"]
    return events["code"][(kinds == EventKind.RECEIPT) | (kinds == EventKind.BUNDLE)]


def fills(events: Any) -> list[tuple[int, int, int]]:
    """(maker's order, lots, price) of each fill."""
    rows = events[events["kind"] == EventKind.FILL]
    return [
        (int(row["counter_order_id"]), int(row["size"]), int(row["price"])) for row in rows
    ]


def bought(price: int, size: int, **more: int) -> c.Place:
    return c.Place(PERP, 0, price, size, **more)


def sold(price: int, size: int, **more: int) -> c.Place:
    return c.Place(PERP, 1, price, size, **more)
