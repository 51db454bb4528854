"""What must hold in every state, judged from an image alone. Shares no code with spec or kernels.

`faults` gives sentences; an empty list is a sound state. It knows the layout of rows and nothing
else: links are followed, sums are formed anew, rules are written out here a second time.
"""

from collections import Counter
from typing import Any, Final

from quorate.sim.conditional_checker import conditional_faults
from quorate.sim.options_checker import options_faults
from quorate.types.records import ASSET_KEY, POSITION, ROW_DTYPES, Table

Rows = dict[str, list[Any]]
NONCES_KEPT: Final = 100
VALIDATORS_KEPT: Final = 256
UNUSED: Final = ("reserved", "zero")


class Checker:
    """One image taken apart into columns."""

    def __init__(self, image: Any, time_ms: int) -> None:
        import numpy as np

        self.found: list[str] = []
        self.time_ms = time_ms
        self.columns: dict[Table, Rows] = {}
        for part in image:
            assert part.rows.dtype == ROW_DTYPES[part.table]
            self.columns[part.table] = columns(part.rows)
            for name in UNUSED:
                if name in part.rows.dtype.names and part.rows[name].any():
                    self.fault(f"{part.table.name}: {name} bytes are not zero")
        cells = np.frombuffer(image[Table.ACCOUNTS].tail, POSITION)
        self.positions = split(columns(cells), self.columns[Table.ACCOUNTS]["positions_count"])
        numbers = np.frombuffer(image[Table.NONCES].tail, "<i8").tolist()
        self.nonces: list[list[int]] = []
        at = 0
        for count in self.columns[Table.NONCES]["count"]:
            self.nonces.append(numbers[at : at + count])
            at += count
        self.ledger = {name: values[0] for name, values in self.columns[Table.LEDGER].items()}

    def fault(self, sentence: str) -> None:
        self.found.append(sentence)

    def same(self, what: str, stored: Any, true: Any) -> None:
        if stored != true:
            self.fault(f"{what}: the row says {stored}, it is {true}")

    # --- chains and lists -------------------------------------------------------------------
    def keys(self) -> None:
        """Every ordered table's chain visits all live rows in ascending order."""
        a = self.columns[Table.ACCOUNTS]
        self.chain(
            "accounts",
            list(zip(a["address"], a["sub"], strict=True)),
            list(zip(a["next_address"], a["next_sub"], strict=True)),
            [True] * len(a["sub"]),
        )
        b = self.columns[Table.SESSIONS]
        live = [slot == 0 or bool(flag) for slot, flag in enumerate(b["live"])]
        self.chain("sessions", b["agent"], b["next_agent"], live)
        n = self.columns[Table.NONCES]
        used = [slot == 0 or bool(count) for slot, count in enumerate(n["count"])]
        self.chain("nonces", n["signer"], n["next_signer"], used)

    def chain(self, name: str, own: list[Any], following: list[Any], live: list[bool]) -> None:
        end = own[0]
        rows = sorted((key, slot) for slot, key in enumerate(own) if live[slot])
        if len({key for key, _ in rows}) != len(rows):
            self.fault(f"{name}: a key stands twice")
        wanted = [key for key, _ in rows[1:]] + [end]
        for (_, slot), after in zip(rows, wanted, strict=True):
            self.same(f"{name} {slot} next key", following[slot], after)

    def free(self, table: Table, link: str, live: list[bool], head: int) -> None:
        """Free rows hold their link alone, and the free list visits each once."""
        rows, slots = self.columns[table], dict[int, None]()
        while head:
            if head in slots or head >= len(live) or live[head]:
                self.fault(f"{table.name}: free list is broken at {head}")
                return
            slots[head] = None
            head = rows[link][head]
        dead = [slot for slot in range(1, len(live)) if not live[slot]]
        self.same(f"{table.name} free slots", sorted(slots), dead)
        for name, values in rows.items():
            blank = bytes(len(values[0])) if values and isinstance(values[0], bytes) else 0
            for slot in dead if name != link else ():
                if values[slot] != blank:
                    self.fault(f"{table.name} {slot}: free, but {name} is {values[slot]!r}")

    # --- books ------------------------------------------------------------------------------
    def books(self) -> None:
        """Links both ways, sums over orders, prices that do not cross."""
        o, v = self.columns[Table.ORDERS], self.columns[Table.LEVELS]
        open_orders = [bool(order_id) for order_id in o["order_id"]]
        levels = [bool(head) for head in v["head"]]
        self.free(Table.ORDERS, "newer", open_orders, self.ledger["orders_free"])
        self.free(Table.LEVELS, "worse", levels, self.ledger["levels_free"])
        ids = [order_id for order_id in o["order_id"] if order_id]
        self.same("orders_live", self.ledger["orders_live"], len(ids))
        if len(set(ids)) != len(ids) or any(one >= self.ledger["order_id_next"] for one in ids):
            self.fault("order ids are not unique and below the next")
        seen_levels: list[int] = []
        for market in range(1, self.ledger["markets_high"]):
            best: list[int] = []
            for side, name in ((0, "bid_best"), (1, "ask_best")):
                slots = self.side(market, side, self.columns[Table.MARKETS][name][market])
                seen_levels.extend(slots)
                best.extend(v["price"][at] for at in slots[:1])
            if len(best) == 2 and best[0] >= best[1] and not self.may_cross(market):
                self.fault(f"market {market}: the book is crossed, {best[0]} and {best[1]}")
        wanted = [slot for slot in range(1, len(levels)) if levels[slot]]
        self.same("levels in books", sorted(seen_levels), wanted)
        self.same("orders in levels", sum(v["orders_count"]), len(ids))

    def breakers(self) -> None:
        """Auctions, bands and announced changes: rows of what is not going on are blank."""
        r, b, n = (self.columns[table] for table in (Table.RISK, Table.BANDS, Table.CHANGES))
        auction = [name for name in r if name.startswith("auction_")]
        for market, phase in enumerate(r["phase"]):
            if phase != 1:
                for name in auction:
                    self.same(f"market {market} {name}", r[name][market], 0)
            elif not 0 < r["auction_begin_ms"][market] <= r["auction_end_ms"][market]:
                self.fault(f"market {market}: its auction ends before it begins")
            if not 0 <= r["auction_bands"][market] < 16:
                self.fault(f"market {market}: used bands that are none")
        for at, count in enumerate(b["count"]):
            what = f"band {at}"
            known = [k for k in range(8) if b[f"price_{k}"][at]]
            if not b["auction_ms"][at]:
                self.same(f"{what} samples", (count, known), (0, []))
                continue
            ring = [(b["next"][at] - back) % 8 for back in range(count, 0, -1)]
            self.same(f"{what} ring", sorted(ring), known)
            times = [b[f"time_{k}_ms"][at] for k in ring]
            if times != sorted(times) or (times and times[-1] != b["sample_ms"][at]):
                self.fault(f"{what}: samples out of order")
        height = self.columns[Table.CHAIN]["height"][0]
        live = [at for at in n["height"] if at]
        self.same("changes live", self.ledger["changes_live"], len(live))
        if any(at <= height for at in live):
            self.fault("a change is overdue")

    def risk(self, market: int, name: str) -> int:
        """A number of a market's clearing house; 0 where it has none."""
        column = self.columns[Table.RISK][name]
        return int(column[market]) if market < len(column) else 0

    def may_cross(self, market: int) -> bool:
        """Only a book that waits for a uniform price, in an auction or a batch, may be crossed.

        Or one that an auction has left to a quarantine.
        """
        if not self.risk(market, "mode"):
            return False
        return self.risk(market, "phase") in (1, 2) or self.risk(market, "mode") == 2

    def side(self, market: int, side: int, slot: int) -> list[int]:
        """Levels of one side from the best on."""
        o, v = self.columns[Table.ORDERS], self.columns[Table.LEVELS]
        slots: list[int] = []
        better = 0
        while slot and len(slots) < len(v["price"]):
            what = f"level {slot}"
            self.same(f"{what} better", v["better"][slot], better)
            self.same(f"{what} book", (v["market"][slot], v["side"][slot]), (market, side))
            if better:
                step = v["price"][slot] - v["price"][better]
                if (step >= 0) if side == 0 else (step <= 0):
                    self.fault(f"{what}: its price does not follow that of {better}")
            lots, count, older, at, last_id = 0, 0, 0, v["head"][slot], 0
            while at and count < len(o["size"]):
                self.same(f"order {at} older", o["older"][at], older)
                self.same(f"order {at} level", o["level"][at], slot)
                self.same(f"order {at} price", o["price"][at], v["price"][slot])
                self.same(f"order {at} side", (o["market"][at], o["side"][at]), (market, side))
                if not 0 < o["remaining"][at] <= o["size"][at] or o["order_id"][at] <= last_id:
                    self.fault(f"order {at}: remaining, size or place in the queue is wrong")
                lots, count, last_id = lots + o["remaining"][at], count + 1, o["order_id"][at]
                older, at = at, o["newer"][at]
            self.same(f"{what} tail", v["tail"][slot], older)
            self.same(f"{what} lots", (v["lots"][slot], v["orders_count"][slot]), (lots, count))
            slots.append(slot)
            better, slot = slot, v["worse"][slot]
        return slots

    # --- accounts ---------------------------------------------------------------------------
    def accounts(self) -> None:
        """Lists of orders, sums that orders reserve, counts."""
        a, o, m = (self.columns[table] for table in (Table.ACCOUNTS, Table.ORDERS, Table.MARKETS))
        sums: Counter[tuple[Any, ...]] = Counter()
        for slot, order_id in enumerate(o["order_id"]):
            if not order_id:
                continue
            owner, market, side = o["account"][slot], o["market"][slot], o["side"][slot]
            spot = m["kind"][market] == 1
            key = ASSET_KEY + m["base_asset"][market] if spot else market
            sums[owner, key, "orders"] += 1
            sums[owner, "orders"] += 1
            sums["market", market] += 1
            lots = o["remaining"][slot]
            if spot and side == 0:
                value = o["price"][slot] * lots * m["quantum_e6"][market]
                sums[owner, "held"] += value - (-value * o["hold_ppm"][slot]) // 1_000_000
            else:
                unit = m["lot_units"][market] if spot else 1
                sums[owner, key, "asks" if side else "bids"] += lots * unit
        most = self.columns[Table.PARAMETERS]["orders_per_account_max"][0]
        for slot in range(len(a["sub"])):
            what = f"account {slot}"
            self.same(f"{what} orders", a["orders_count"][slot], sums[slot, "orders"])
            self.same(f"{what} held", a["held_e6"][slot], sums[slot, "held"])
            if a["orders_count"][slot] > most:
                self.fault(f"{what}: more open orders than allowed")
            self.order_list(slot)
            keys = [row["key"] for row in self.positions[slot]]
            if len(set(keys)) != len(keys):
                self.fault(f"{what}: two positions of one key")
            for row in self.positions[slot]:
                self.position(what, slot, row, sums)
        for market in range(1, self.ledger["markets_high"]):
            self.same(f"market {market} orders", m["orders_count"][market], sums["market", market])

    def position(self, what: str, slot: int, row: dict[str, int], sums: Any) -> None:
        key = row["key"]
        for name in ("orders", "bids", "asks"):
            stored = row["orders_count" if name == "orders" else name]
            self.same(f"{what} position {key} {name}", stored, sums[slot, key, name])
        isolated = row["flags"] & 1
        if not row["size"] and not row["orders_count"] and not isolated:
            self.fault(f"{what}: an empty position {key}")
        if row["flags"] > 1 or (row["isolated_e6"] and not isolated):
            self.fault(f"{what} position {key}: flags {row['flags']}, own {row['isolated_e6']}")
        if isolated and key >= len(self.columns[Table.RISK]["mode"]):
            self.fault(f"{what}: position {key} is isolated where there is no clearing house")
        if key >= ASSET_KEY:
            if row["size"] < row["asks"] or not 0 < key - ASSET_KEY < self.ledger["assets_high"]:
                self.fault(f"{what}: asset {key - ASSET_KEY} is oversold or unknown")
            if row["entry_e6"] or row["realized_e6"]:
                self.fault(f"{what}: an asset has no cost basis")
        elif self.columns[Table.MARKETS]["kind"][key] == 1:
            self.fault(f"{what}: a position in market {key}, which is spot")
        elif row["entry_e6"] < 0 or (row["size"] == 0 and row["entry_e6"]):
            self.fault(f"{what}: cost basis {row['entry_e6']} of {row['size']} lots")

    def order_list(self, account: int) -> None:
        a, o = self.columns[Table.ACCOUNTS], self.columns[Table.ORDERS]
        before, at, count = 0, a["orders_head"][account], 0
        while at and count <= len(o["size"]):
            self.same(f"order {at} account_prev", o["account_prev"][at], before)
            self.same(f"order {at} account", o["account"][at], account)
            before, at, count = at, o["account_next"][at], count + 1
        self.same(f"account {account} list of orders", count, a["orders_count"][account])

    # --- sums -------------------------------------------------------------------------------
    def conservation(self) -> None:
        """Nothing appears or vanishes: cash, assets, positions."""
        assets, m = self.columns[Table.ASSETS], self.columns[Table.MARKETS]
        supply = [i - j for i, j in zip(assets["deposited"], assets["withdrawn"], strict=True)]
        held: Counter[int] = Counter()
        longs: Counter[int] = Counter()
        for row in (row for rows in self.positions for row in rows):
            held[row["key"]] += row["size"]
            longs[row["key"]] += max(row["size"], 0)
        isolated = sum(row["isolated_e6"] for rows in self.positions for row in rows)
        cash = sum(self.columns[Table.ACCOUNTS]["cash_e6"]) + self.ledger["fees_e6"]
        cash += isolated + self.ledger["insurance_e6"]
        r = self.columns[Table.RISK]
        cash += sum(r["insurance_e6"]) + sum(r["funding_pool_e6"])
        self.same("cash, isolated margin, fees, insurance and pools", cash, supply[0])
        if min(self.ledger["insurance_e6"], *r["insurance_e6"], 0) < 0:
            self.fault("an insurance fund is negative")
        for asset in range(1, len(supply)):
            self.same(f"asset {asset}", held[ASSET_KEY + asset], supply[asset])
        for market in range(1, self.ledger["markets_high"]):
            self.same(f"market {market} net position", held[market], 0)
            open_lots = m["open_interest_lots"][market]
            self.same(f"market {market} open interest", open_lots, longs[market])
        if self.ledger["fees_e6"] < 0:
            self.fault("the fees are negative")
        standing = self.columns[Table.ACCOUNTS]["standing"]
        self.same("debtors", self.ledger["debtors_count"], sum(map(bool, standing)))

    # --- the clearing house -----------------------------------------------------------------
    def funding(self) -> None:
        """A market's pool holds what its positions have paid and not yet drawn: never too little.

        What a position owes is (index - the one it last paid at) * size / 2**shift, rounded up; all
        sizes sum to zero, so pool and debts together are what rounding left.
        """
        owed: Counter[int] = Counter()
        for row in (row for rows in self.positions for row in rows):
            key = row["key"]
            if key >= len(self.columns[Table.RISK]["mode"]):
                if row["funding_index"]:
                    self.fault(f"position {key} has a funding index without a clearing house")
                continue
            step = (self.risk(key, "funding_index") - row["funding_index"]) * row["size"]
            owed[key] -= -step >> self.risk(key, "funding_shift")
        for market in range(len(self.columns[Table.RISK]["mode"])):
            rest = self.risk(market, "funding_pool_e6") + owed[market]
            if rest < 0:
                self.fault(f"market {market}: pool and debts of funding sum to {rest}")

    def feeds(self) -> None:
        """A fresh index has a price; votes have prices; states are known."""
        f, v, r = (self.columns[table] for table in (Table.FEEDS, Table.VOTES, Table.RISK))
        self.same("room for votes", len(v["time_ms"]), 32 * len(f["state"]))
        for feed, state in enumerate(f["state"]):
            if state not in (0, 1, 2) or (state == 1 and not 0 < f["price_ticks"][feed] < 2**40):
                self.fault(f"feed {feed}: state {state} at {f['price_ticks'][feed]}")
        for slot, time_ms in enumerate(v["time_ms"]):
            if time_ms > self.time_ms or (time_ms and v["price_ticks"][slot] <= 0):
                self.fault(f"vote {slot}: {v['price_ticks'][slot]} at {time_ms}")
        for market, phase in enumerate(r["phase"]):
            if phase not in (0, 1, 2) or r["guard"][market] not in (0, 1, 2, 3):
                self.fault(f"market {market}: phase {phase}, guard {r['guard'][market]}")
            if (phase == 1) != (r["auction_kind"][market] in (1, 2, 3)) and phase != 2:
                self.fault(f"market {market}: phase {phase}, auction {r['auction_kind'][market]}")
        heights = self.columns[Table.CHANGES]["height"]
        self.same("changes_live", self.ledger["changes_live"], sum(map(bool, heights)))

    # --- signers, sessions, switches --------------------------------------------------------
    def signers(self) -> None:
        """Nonce sets, session counts, the list of armed accounts."""
        n, b = self.columns[Table.NONCES], self.columns[Table.SESSIONS]
        for slot, nonces in enumerate(self.nonces):
            if nonces != sorted(set(nonces)) or len(nonces) > NONCES_KEPT:
                self.fault(f"nonces {slot}: not a sorted set of at most {NONCES_KEPT}")
            if nonces and n["floor"][slot] >= nonces[0]:
                self.fault(f"nonces {slot}: the floor is not below the set")
        self.same("nonces_live", self.ledger["nonces_live"], sum(n["count"]))
        self.same("positions_live", self.ledger["positions_live"], sum(map(len, self.positions)))
        used = [slot == 0 or bool(count) for slot, count in enumerate(n["count"])]
        self.free(Table.NONCES, "free_next", used, self.ledger["nonces_free"])
        live = [slot == 0 or bool(flag) for slot, flag in enumerate(b["live"])]
        self.free(Table.SESSIONS, "account", live, self.ledger["sessions_free"])
        agents = Counter(b["account"][slot] for slot in range(1, len(live)) if live[slot])
        a = self.columns[Table.ACCOUNTS]
        for slot, count in enumerate(a["sessions_count"]):
            self.same(f"account {slot} sessions", count, agents[slot])
        armed: list[int] = []
        before, at = 0, self.ledger["armed_head"]
        while at and len(armed) < len(a["sub"]):
            self.same(f"account {at} armed_prev", a["armed_prev"][at], before)
            armed.append(at)
            before, at = at, a["armed_next"][at]
        wanted = [slot for slot, at_ms in enumerate(a["deadman_ms"]) if at_ms]
        self.same("armed accounts", sorted(armed), wanted)
        cursor = self.ledger["armed_cursor"]
        if cursor and cursor not in armed:
            self.fault(f"the cursor of the switches stands on account {cursor}, which is not armed")


    # --- the register of validators ---------------------------------------------------------
    def register(self) -> None:
        """No unused row between used ones, no key twice, powers and heights in their bounds."""
        v = self.columns[Table.VALIDATORS]
        height = self.columns[Table.CHAIN]["height"][0]
        keys = list(zip(v["key_type"], v["key"], strict=True))
        if len(set(keys)) != len(keys) or len(keys) > VALIDATORS_KEPT:
            self.fault("validators: a key stands twice, or there are too many")
        for slot, (kind, key) in enumerate(keys):
            sound = any(key) and key[32] == 0 if kind == 1 else kind == 2 and key[0] in (2, 3)
            if not sound:
                self.fault(f"validator {slot}: its key has not the form of type {kind}")
            if not all(0 <= v[name][slot] <= 2**40 for name in ("power", "power_before")):
                self.fault(f"validator {slot}: a power is out of bounds")
            first, last = v["height_before"][slot], v["changed_height"][slot]
            if not 0 <= first < last <= height or (not first and v["power_before"][slot]):
                self.fault(f"validator {slot}: changed at {first}, then at {last}")


def columns(rows: Any) -> Rows:
    """Columns of a structured array: lists of int, or of bytes."""
    made: Rows = {}
    for name in rows.dtype.names:
        if name in UNUSED:
            continue
        column = rows[name]
        made[name] = [one.tobytes() for one in column] if column.ndim > 1 else column.tolist()
    return made


def split(cells: Rows, counts: list[int]) -> list[list[dict[str, int]]]:
    """Positions by account."""
    found: list[list[dict[str, int]]] = []
    at = 0
    for count in counts:
        spans = range(at, at + count)
        found.append([{name: cells[name][k] for name in cells} for k in spans])
        at += count
    return found


def faults(image: Any, time_ms: int) -> list[str]:
    """Sentences on what does not hold in a state; empty if all does."""
    checker = Checker(image, time_ms)
    checker.keys()
    checker.books()
    checker.accounts()
    checker.conservation()
    checker.signers()
    checker.register()
    checker.breakers()
    checker.funding()
    checker.feeds()
    checker.found.extend(conditional_faults(checker.columns, time_ms))
    checker.found.extend(options_faults(checker.columns))
    return checker.found
