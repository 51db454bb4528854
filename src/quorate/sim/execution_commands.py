"""What the people of a fuzzed world say: every operation, every flag, values at their limits."""

import random
from typing import Any, Final

from quorate.codec import commands as c
from quorate.execution.spec.tables import Tables
from quorate.sim.execution_clearing import ClearingAuthor, records
from quorate.types.blocks import Genesis, MarketSpec
from quorate.types.codes import Flag, KeyType, MarketKind, MarketStatus, Stp, Tif
from quorate.types.limits import (
    DAY_MS,
    INT64_MAX,
    SUPPLY_MAX,
    VALIDATOR_POWER_MAX,
    VALIDATOR_ROWS_MAX,
)
from quorate.types.records import ASSET_KEY, Table

USD: Final = 10**6
ZERO: Final = bytes(20)
TIFS: Final = (*[Tif.GTC] * 5, Tif.GTT, Tif.IOC, Tif.FOK)
CLOIDS: Final = (*[0] * 30, 1, 2, 3, 4, 2**64, 2**64 + 1, 2**127 - 1, 2**126 + 5, 2**128 - 1)


class Author:
    """Writes commands; `look` shows it the state before each block."""

    def __init__(
        self,
        rng: random.Random,
        genesis: Genesis,
        owners: list[bytes],
        agents: list[bytes],
        strangers: list[bytes],
        rich_e6: int,
    ) -> None:
        self.rng, self.genesis = rng, genesis
        # Its own, so that trade in a world does not depend on what is said of validators.
        self.register = random.Random(genesis.governance.hex())
        self.owners, self.agents, self.strangers = owners, agents, strangers
        self.time_ms = self.height = self.accounts_high = self.order_id_next = 0
        self.accounts: dict[bytes, list[int]] = {}
        self.rows: dict[int, Any] = {}
        self.sessions: dict[bytes, int] = {}
        self.orders: dict[int, list[Any]] = {}
        self.all_orders: list[Any] = []
        self.markets: list[Any] = []
        self.rich = rich_e6
        self.clearing: ClearingAuthor | None = None
        if genesis.clearing is not None:
            source = random.Random(f"clearing {genesis.governance.hex()}")
            self.clearing = ClearingAuthor(source, genesis)

    def look(self, t: Tables, time_ms: int, height: int) -> None:
        """Take note of the state."""
        self.time_ms, self.height = time_ms, height
        ledger = t.row(Table.LEDGER, 0)
        self.accounts_high, self.order_id_next = ledger.accounts_high, ledger.order_id_next
        self.rows = dict(t.rows[Table.ACCOUNTS])
        self.accounts = {}
        for slot, row in self.rows.items():
            if slot:
                self.accounts.setdefault(row.address, []).append(slot)
        live = [row for row in t.rows[Table.SESSIONS].values() if row.live]
        self.sessions = {row.agent: row.account for row in live}
        self.all_orders = [row for row in t.rows[Table.ORDERS].values() if row.order_id]
        self.orders = {}
        for row in self.all_orders:
            self.orders.setdefault(row.account, []).append(row)
        markets = t.rows[Table.MARKETS]
        self.markets = [markets[slot] for slot in sorted(markets) if slot]
        if self.clearing is not None:
            self.clearing.look(t, time_ms, height)

    # --- who --------------------------------------------------------------------------------
    def accounts_of(self, address: bytes) -> list[int]:
        return self.accounts.get(address, [])

    def master_of(self, agent: bytes) -> bytes:
        slot = self.sessions.get(agent, 0)
        return bytes(self.rows[slot].address) if slot else ZERO

    def default_account(self, signer: bytes) -> int:
        own = self.accounts_of(self.master_of(signer)) or self.accounts_of(signer)
        return own[0] if own else 0

    def address_drawn(self) -> bytes:
        """Somebody's address, or nobody's."""
        pool = [*self.owners, *self.owners, *self.agents, *self.strangers, ZERO]
        if self.genesis.clearing is not None:
            pool.append(self.genesis.clearing.vault)
        return self.rng.choice(pool)

    # --- commands of people -----------------------------------------------------------------
    def commands(self, account: int) -> list[bytes]:
        """One command, or some of the clearing house that belong together, in records."""
        if self.clearing is not None and self.clearing.rng.random() < 0.25:
            return self.clearing.commands(account)
        return records(self.command(account))

    def command(self, account: int) -> c.Command:
        draw = self.rng.random() * 100
        crowded = 15 if len(self.all_orders) > 150 else 0
        for share, make in (
            (58 - crowded, self.place),
            (6, self.cancel),
            (3, self.cancel_client),
            (1.5 + crowded, self.cancel_all),
            (10, self.modify),
            (4, self.modify_client),
            (2, self.deadman),
            (3, self.approve),
            (1, self.revoke),
            (3, self.withdraw),
            (3, self.transfer),
            (2, self.open_subaccount),
            (2, self.faucet),
        ):
            draw -= share
            if draw < 0:
                wants_order = make in (self.cancel, self.modify, self.modify_client)
                if wants_order and account not in self.orders and self.rng.random() < 0.8:
                    return self.place(account)
                return make(account)
        return self.role_command()

    def market_drawn(self) -> int:
        if self.rng.random() < 0.02:
            return self.rng.choice([0, len(self.markets) + 1, 2**32 - 1])
        return self.rng.randrange(1, len(self.markets) + 1)

    def market_at(self, slot: int) -> Any:
        return self.markets[slot - 1] if 0 < slot <= len(self.markets) else self.markets[0]

    def price(self, market: Any, side: int) -> int:
        """Mostly within a few ticks of the middle, so that books are deep and orders cross."""
        rng, step = self.rng, market.tick_step
        draw = rng.random()
        if draw < 0.03:
            most = market.price_max_ticks
            return int(rng.choice([0, 1, step, most, most // step * step, most + step, INT64_MAX]))
        mid = market.mark_ticks or market.last_ticks or market.price_max_ticks // 3
        away = rng.choice([-2, -1, 0, 1, 1, 2, 2, 3, 4, 8]) * (1 if side else -1)
        price = (mid // step + away) * step
        if draw < 0.05:
            price += rng.choice([1, step // 2])
        return int(max(0, min(price, INT64_MAX)))

    def size(self, market: Any) -> int:
        rng, step, most = self.rng, market.lot_step, market.size_max_lots
        draw = rng.random()
        if draw < 0.04:
            return int(rng.choice([0, 1, step + 1, most, most + step, INT64_MAX, most // 2]))
        if draw < 0.1:
            return int(rng.randrange(1, most // step + 1)) * int(step)
        return rng.choice([1, 1, 2, 3, 5, 8]) * int(step)

    def sweep(self, slot: int, side: int, price: int, size: int) -> tuple[int, int]:
        """Price and size that just take the best few orders, or miss that by a lot."""
        resting = [row for row in self.all_orders if row.market == slot and row.side != side]
        if not resting:
            return price, size
        resting.sort(key=lambda row: (-row.price if side else row.price, row.order_id))
        some = resting[: self.rng.choice([1, 2, 3, 4, 6, 9])]
        step = self.market_at(slot).lot_step
        size = sum(row.remaining for row in some) + self.rng.choice([0, 0, 0, -step, step])
        return (int(some[-1].price) if price else 0), max(0, int(size))

    def place(self, account: int) -> c.Command:
        rng = self.rng
        slot = self.market_drawn()
        market = self.market_at(slot)
        tif = rng.choice(TIFS)
        side = rng.randrange(2)
        immediate = tif in (Tif.IOC, Tif.FOK)
        flags = rng.choice(list(Stp)) << Flag.STP_SHIFT
        if rng.random() < 0.3:
            flags |= Flag.STP_MASTER
        share = 0.2 if market.kind == MarketKind.PERPETUAL else 0.01
        if rng.random() < share:
            flags |= Flag.REDUCE_ONLY
            if rng.random() < 0.9:
                size = self.held(account, slot)
                side = int(size > 0)
                flags &= ~Flag.REDUCE_ONLY if not size else -1
        price = self.price(market, 1 - side if immediate else side)
        if immediate:
            if rng.random() < 0.35:
                flags |= Flag.MARKET
                price = 0
        elif rng.random() < 0.3:
            flags |= Flag.POST_ONLY
            if rng.random() < 0.5:
                flags |= Flag.SLIDE
        size = self.size(market)
        if immediate and rng.random() < 0.5:
            price, size = self.sweep(slot, side, price, size)
        expiry_ms = 0
        if tif == Tif.GTT:
            ahead = rng.choice([1, 200, 201, 1500, 4000, 4000, 3_600_000, 3_600_000, DAY_MS])
            expiry_ms = self.time_ms + (rng.choice([-1, 0]) if rng.random() < 0.05 else ahead)
        group = 0 if self.clearing is None else self.clearing.place_group(account)
        return c.Place(
            slot, side, price, size, int(tif), int(flags), expiry_ms,
            rng.choice(CLOIDS), group,
        )  # fmt: skip

    def order_drawn(self, account: int) -> Any:
        """An open order, mostly one's own; None where there is none."""
        own = self.orders.get(account, [])
        if own and self.rng.random() < 0.93:
            return self.rng.choice(own)
        return self.rng.choice(self.all_orders) if self.all_orders else None

    def id_drawn(self, account: int) -> int:
        order = self.order_drawn(account)
        if order is None or self.rng.random() < 0.05:
            recent = max(1, self.order_id_next + self.rng.randrange(-20, 8))
            return self.rng.choice([0, recent, recent, INT64_MAX])
        return int(order.order_id)

    def cloid_drawn(self, account: int) -> int:
        order = self.order_drawn(account)
        if order is None or self.rng.random() < 0.3:
            return self.rng.choice(CLOIDS[-9:])
        return (int(order.cloid_hi) % 2**64 << 64) + int(order.cloid_lo) % 2**64

    def cancel(self, account: int) -> c.Command:
        return c.Cancel(self.id_drawn(account))

    def cancel_client(self, account: int) -> c.Command:
        return c.CancelClient(self.cloid_drawn(account))

    def cancel_all(self, account: int) -> c.Command:
        return c.CancelAll(self.rng.choice([0, self.market_drawn()]))

    def change(self, account: int, order: Any) -> tuple[int, int, int]:
        """New price, total size and flags of a modify."""
        rng = self.rng
        if order is None:
            return self.price(self.markets[0], 0), self.size(self.markets[0]), 0
        market = self.market_at(order.market)
        step, filled = market.lot_step, order.size - order.remaining
        size = rng.choice([
            order.size, order.size - step, order.size + step, filled, filled + step,
            order.remaining, order.size + 3 * step, self.size(market),
        ])  # fmt: skip
        price = order.price if rng.random() < 0.55 else self.price(market, order.side)
        flags = rng.choice(list(Stp)) << Flag.STP_SHIFT
        if rng.random() < 0.3:
            flags |= Flag.POST_ONLY
        return int(price), max(0, int(size)), int(flags)

    def modify(self, account: int) -> c.Command:
        order = self.order_drawn(account)
        if order is None:
            return c.Modify(self.id_drawn(account), *self.change(account, None))
        return c.Modify(int(order.order_id), *self.change(account, order))

    def modify_client(self, account: int) -> c.Command:
        order = self.order_drawn(account)
        cloid = self.rng.choice(CLOIDS[-9:])
        if order is not None and (order.cloid_hi or order.cloid_lo):
            cloid = (int(order.cloid_hi) % 2**64 << 64) + int(order.cloid_lo) % 2**64
        return c.ModifyClient(cloid, *self.change(account, order))

    def deadman(self, account: int) -> c.Command:
        ahead = self.rng.choice([-1, 0, 999, 1000, 1001, 2000, 5000, DAY_MS])
        return c.Deadman(self.rng.choice([0, self.time_ms + ahead, self.time_ms + ahead]))

    def approve(self, account: int) -> c.Command:
        rng = self.rng
        return c.ApproveAgent(
            rng.choice([*self.agents, *self.agents, self.address_drawn()]),
            rng.choice([0, 0, self.time_ms, self.time_ms + 1500, self.time_ms + DAY_MS]),
            rng.choice([*[0] * 8, 1, USD // 10, USD, 5 * USD, 50 * USD]),
            rng.choice([*[0] * 6, 1, USD, 5 * USD, 100 * USD]),
            rng.choice([*[0] * 6, 1, 100, 150, 700, 100_000, 100_001]),
        )

    def revoke(self, account: int) -> c.Command:
        return c.RevokeAgent(self.rng.choice([*self.agents, self.address_drawn()]))

    # --- money ------------------------------------------------------------------------------
    def held(self, account: int, key: int) -> int:
        """Size of the account's position of that key."""
        row = self.rows.get(account)
        return sum(int(p.size) for p in row.positions if p.key == key) if row else 0

    def balance(self, account: int, asset: int) -> int:
        row = self.rows.get(account)
        if row is None:
            return 0
        if asset == 0:
            return int(row.cash_e6)
        return self.held(account, ASSET_KEY + asset)

    def amount(self, account: int, asset: int) -> int:
        rng, have = self.rng, max(0, self.balance(account, asset))
        if rng.random() < 0.05:
            return rng.choice([0, 1, SUPPLY_MAX, SUPPLY_MAX + 1, INT64_MAX])
        return rng.choice([have, have + 1, have // 2, have // 3, 1 + have // 10])

    def asset_drawn(self) -> int:
        return self.rng.choice([0, 0, 0, 1, 2, 2, 3, 4095])

    def withdraw(self, account: int) -> c.Command:
        asset = self.asset_drawn()
        return c.Withdraw(asset, self.rng.randbytes(20), self.amount(account, asset))

    def transfer(self, account: int) -> c.Command:
        asset = self.asset_drawn()
        target = self.address_drawn()
        subs = [self.rows[slot].sub for slot in self.accounts_of(target)]
        sub = self.rng.choice([0, 0, 1, *subs])
        return c.Transfer(asset, target, int(sub), self.amount(account, asset))

    def open_subaccount(self, account: int) -> c.Command:
        return c.OpenSubaccount(self.rng.choice([0, 1, 1, 2, 3, 65535, 65536]))

    def faucet(self, account: int) -> c.Command:
        return c.Faucet(self.rng.choice([0, 1, USD, 50 * USD, 50 * USD + 1]))

    # --- commands of roles ------------------------------------------------------------------
    def role_command(self) -> c.Command:
        """What only a role may say, said by anybody."""
        made: c.Command = self.rng.choice([self.deposit, self.mark, self.governance])()
        return self.validator(1) if self.register.random() < 0.1 else made

    def deposit(self) -> c.Command:
        rng, asset = self.rng, self.asset_drawn()
        target, sub = self.address_drawn(), rng.choice([0, 0, 0, 1])
        amount = rng.choice([0, 1, self.rich // 10, self.rich, self.rich, SUPPLY_MAX])
        if asset:
            amount = min(amount, rng.choice([100, 10_000, 10**7, SUPPLY_MAX]))
        elif amount == SUPPLY_MAX and rng.random() < 0.8:
            amount = self.rich
        return c.Deposit(asset, target, sub, amount, rng.randrange(9))

    def mark(self) -> c.Command:
        rng, slot = self.rng, self.market_drawn()
        market = self.market_at(slot)
        now = market.mark_ticks or market.price_max_ticks // 3
        if rng.random() < 0.25:
            ticks = now * rng.choice([50, 80, 95, 95, 105, 105, 130, 200]) // 100
        else:
            ticks = now + rng.choice([-3, -1, 0, 1, 3]) * market.tick_step
        if rng.random() < 0.03:
            ticks = rng.choice([0, market.price_max_ticks, market.price_max_ticks + 1])
        return c.SetMark(slot, max(0, int(ticks)))

    def governance(self) -> c.Command:
        rng = self.rng
        draw = rng.random()
        if draw < 0.45:
            calm = [MarketStatus.OPEN] * 5
            return c.SetStatus(self.market_drawn(), int(rng.choice([*calm, *MarketStatus])))
        if draw < 0.6:
            slot = rng.choice([0, 1, 2, 3, 8, 9, 16, 24, 25, 32, 40, 511, 512])
            volume = rng.choice([0, 1, 100 * USD, 300 * USD, 10**12])
            return c.SetFeeTier(slot, volume, rng.choice([-100, 0, 120, 400]),
                                rng.choice([0, 100, 300, 450, 900, 100_001]))
        if draw < 0.75:
            slot = rng.choice([0, 1, 2, 8, 9, 10, 11, 16, 17, 18, 24, 25, 511, 512])
            lower = rng.choice([0, 150 * USD, 200 * USD, 10**9, 10**12, INT64_MAX])
            return c.SetMarginTier(slot, lower, rng.choice([0, 1, 2, 3, 20, 40, 1000, 1001]))
        if draw < 0.82:
            return c.AddAsset(rng.choice([2, 3, 4, 5]), rng.choice([0, 6, 18, 19]), "A!~09")
        if draw < 0.88:
            return c.Upgrade(rng.choice([0, 1, 2, 3]), self.height + rng.choice([0, 9, 10, 500]))
        return c.ListMarket(
            rng.choice([len(self.markets) + 1, len(self.markets) + 1, 1, 0]), self.listing()
        )

    def validator(self, number: int) -> c.Command:
        """A power for the key of that number, of either type; once in a while for no key at all."""
        rng = self.register
        ends = (0, VALIDATOR_POWER_MAX, VALIDATOR_POWER_MAX + 1, INT64_MAX)
        power = rng.choice([0, 0, 0, 1, 1, 2, rng.choice(ends)])
        key_type = rng.choice([KeyType.ED25519, KeyType.ED25519, KeyType.SECP256K1])
        if rng.random() < 0.02:
            return c.SetValidator(int(KeyType.ED25519), bytes(33), power)
        # The two keys of a number differ in their type and their last byte.
        key = b"\2" + number.to_bytes(2, "little") + b"\2" * 29 + bytes([key_type - 1])
        return c.SetValidator(int(key_type), key, power)

    def listing(self) -> MarketSpec:
        """A market like the first ones, or one that passes some limit."""
        rng = self.rng
        spec = rng.choice(self.genesis.markets)
        values = {name: getattr(spec, name) for name in MarketSpec.__slots__}
        if len(self.markets) >= 6 or rng.random() < 0.5:
            name = rng.choice([name for name in values if name not in ("name", "kind")])
            values[name] = rng.choice([0, 1, 3, 63, 64, 500_001, 2**31])
        return MarketSpec(**values)

    # --- bundles of the roles themselves ----------------------------------------------------
    def bridge_commands(self) -> list[bytes]:
        """First everybody gets something; later now and then."""
        rng = self.rng
        again = self.clearing is not None and not any(map(self.accounts_of, self.owners))
        if self.height == 1 or again:
            made: list[c.Command] = []
            for owner in self.owners:
                share = rng.choice([1, 5, 25, 50])
                if self.clearing is not None:
                    share *= 10  # so that the markets' largest orders can ruin anybody
                made.append(c.Deposit(0, owner, 0, self.rich // share, 1))
                for asset in (1, 2):
                    units = rng.choice([50, 10**6, 10**6, 10**8])
                    made.append(c.Deposit(asset, owner, 0, units, 1))
            if self.genesis.clearing is not None:
                vault_e6 = self.rich * rng.choice([0, 1, 10])
                made.append(c.Deposit(0, self.genesis.clearing.vault, 0, vault_e6, 1))
            return [c.encode_command(each) for each in made]
        count = rng.choice([0, 0, 0, 1, 2])
        return [c.encode_command(self.deposit()) for _ in range(count)]

    def oracle_commands(self) -> list[bytes]:
        count = self.rng.choice([0, 0, 1, 2])
        return [c.encode_command(self.mark()) for _ in range(count)]

    def governance_commands(self) -> list[bytes]:
        changes = self.clearing.governance_records() if self.clearing is not None else []
        if self.rng.random() < 0.75:
            return changes
        data = b"".join(changes) + c.encode_command(self.governance())
        if self.rng.random() < 0.3:
            data += b"".join(
                c.encode_command(c.SetStatus(slot, int(MarketStatus.OPEN)))
                for slot in range(1, len(self.markets) + 1)
            )
        for _ in range(self.register.choice([0, 0, 1, 2, 5])):
            data += c.encode_command(self.validator(self.register.randrange(5)))
        if self.register.random() < 0.03:
            # More keys than the register has rows.
            numbers = range(5, VALIDATOR_ROWS_MAX + 60)
            data += b"".join(c.encode_command(self.validator(number)) for number in numbers)
        return [data[at : at + 64] for at in range(0, len(data), 64)]
