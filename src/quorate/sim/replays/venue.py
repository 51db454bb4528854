"""A chain of one process and the clients that sign for it: commands in, receipts out.

Commands are queued by trader and `flush` makes one block of them: sign each bundle, encode the
block, admit it (every signature is recovered), execute it, commit to events and state. Consecutive
commands of one trader travel in one bundle, so that the order among traders is the queue's.

The clock is an argument: it measures where the time goes and decides nothing.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from quorate.admission import admit_block, chain_of, sign_bundle
from quorate.codec.commands import Deposit, encode_command
from quorate.codec.genesis import genesis_hash
from quorate.codec.items import exec_block_digest
from quorate.crypto import address_of, key_from_seed, public_key
from quorate.crypto.signatures import RECOVER_CHUNK
from quorate.execution.image import Image
from quorate.execution.machine import genesis_image
from quorate.replica.executor import Executor, kernel_machine
from quorate.types.blocks import ExecBlock, Genesis, Item
from quorate.types.codes import End, EventKind, Reject
from quorate.types.limits import COMMANDS_PER_BUNDLE_MAX
from quorate.types.records import ASSET_KEY, POSITION, Table

BRIDGE, GOVERNANCE, ORACLE = "replay bridge", "replay governance", "replay oracle"
PROTOCOL: Final = 1
CHAIN_ID: Final = 7_701
# They shape derived indexes alone; a replay has no enemy to hide them from.
SECRETS: Final = np.arange(1_001, 1_009, dtype=np.int64)
SIGN_CHUNK: Final = 64
QUOTE: Final = 0
MILLION: Final = 1_000_000

Clock = Callable[[], int]
MapCall = Callable[..., Any]
Progress = Callable[[int, int], None]


def address_of_seed(seed: str) -> bytes:
    """Give the address of a key that is derived from a text."""
    address = address_of(public_key(key_from_seed(seed)))
    assert address is not None
    return address


@dataclass(frozen=True, slots=True)
class World:
    """What the caller lends: a clock in ns, the `map` of a pool, and somebody to tell progress."""

    clock_ns: Clock
    map_call: MapCall = map
    progress: Progress = lambda done, total: None


@dataclass(frozen=True, slots=True)
class Fill:
    """One fill: index of the command that took, its side, client ids of both orders (0 none)."""

    command: int
    side: int
    maker: int
    taker: int
    lots: int
    price: int


@dataclass(slots=True)
class Outcome:
    """What a block did: a Reject code per command in the order of sending, and the fills."""

    codes: list[int]
    fills: list[Fill]


@dataclass(slots=True)
class Timing:
    """Nanoseconds spent in each part of the path."""

    sign: int = 0
    admit: int = 0
    execute: int = 0
    root: int = 0


@dataclass(slots=True)
class Queued:
    """A command that waits for the next block."""

    trader: int
    record: bytes
    client: int


@dataclass(slots=True)
class Tally:
    """What a replay counts."""

    commands: int = 0
    bundles: int = 0
    blocks: int = 0
    fills: int = 0
    filled_lots: int = 0
    self_trades: int = 0
    rejects: Counter[str] = field(default_factory=Counter)


class Venue:
    """An executor behind admission, with keys for `traders` and for the three roles."""

    def __init__(self, genesis: Genesis, traders: Sequence[str], world: World) -> None:
        self.world = world
        self.chain = chain_of(genesis.chain_id, genesis_hash(genesis))
        self.executor = Executor(kernel_machine(genesis_image(genesis), SECRETS))
        seeds = [*traders, BRIDGE, ORACLE]
        self.keys = [key_from_seed(seed) for seed in seeds]
        self.addresses = [address_of_seed(seed) for seed in seeds]
        self.bridge, self.oracle = len(seeds) - 2, len(seeds) - 1
        self.nonces = [0] * len(seeds)
        self.queue: list[Queued] = []
        self.deposited: Counter[int] = Counter()
        self.tally = Tally()
        self.timing = Timing()
        self.started_ns = world.clock_ns()
        # Client ids by exchange id, and open lots by client id, as the events tell.
        self.names: dict[int, int] = {}
        self.open: dict[int, int] = {}

    @property
    def time_ms(self) -> int:
        """Give the time of the last block."""
        return self.executor.time_ms

    def send(self, trader: int, command: Any, client: int = 0) -> None:
        """Queue a command; `client`: the client id of the order that it places or changes."""
        self.queue.append(Queued(trader, encode_command(command), client))

    def deposit(self, trader: int, asset: int, amount: int) -> None:
        """Queue the bridge's credit to a trader."""
        self.deposited[asset] += amount
        command = Deposit(asset, self.addresses[trader], 0, amount, 1)
        self.send(self.bridge, command)

    # --- one block ---------------------------------------------------------------------------
    def flush(self, time_ms: int) -> Outcome:
        """Make a block of what is queued, if anything, at `time_ms` or the last block's time."""
        if not self.queue:
            return Outcome([], [])
        executor, clock, timing = self.executor, self.world.clock_ns, self.timing
        queue, self.queue = self.queue, []
        time_ms = max(time_ms, executor.time_ms)
        at = [clock()]
        items, firsts = self._signed(queue, time_ms)
        at.append(clock())
        block = ExecBlock(executor.height + 1, time_ms, PROTOCOL, tuple(items))
        digest = exec_block_digest(block)
        many = len(items) > RECOVER_CHUNK
        admitted = admit_block(items, self.chain, self.world.map_call if many else map)
        assert admitted.is_sound(), "the replay signs what it sends"
        at.append(clock())
        executor.apply(
            block.height, time_ms, PROTOCOL, digest, admitted.rows, admitted.commands
        )
        at.append(clock())
        executor.commit()
        at.append(clock())
        timing.sign += at[1] - at[0]
        timing.admit += at[2] - at[1]
        timing.execute += at[3] - at[2]
        timing.root += at[4] - at[3]
        self.tally.commands += len(queue)
        self.tally.bundles += len(items)
        self.tally.blocks += 1
        return self._outcome(queue, firsts)

    def _signed(self, queue: list[Queued], time_ms: int) -> tuple[list[Item], list[int]]:
        """Sign the queue as bundles; also give the index of each bundle's first command."""
        firsts: list[int] = []
        for index, queued in enumerate(queue):
            if (
                not firsts
                or queue[index - 1].trader != queued.trader
                or index - firsts[-1] == COMMANDS_PER_BUNDLE_MAX
            ):
                firsts.append(index)
        jobs = []
        for first, end in zip(firsts, [*firsts[1:], len(queue)], strict=True):
            trader = queue[first].trader
            nonce = self.nonces[trader] = max(self.nonces[trader] + 1, time_ms)
            jobs.append((trader, nonce, b"".join([each.record for each in queue[first:end]])))
        chunks = [jobs[at : at + SIGN_CHUNK] for at in range(0, len(jobs), SIGN_CHUNK)]
        # To hand one chunk to another thread costs more than it saves.
        signed = (self.world.map_call if len(chunks) > 1 else map)(self._sign_chunk, chunks)
        return [item for chunk in signed for item in chunk], firsts

    def _sign_chunk(self, jobs: list[tuple[int, int, bytes]]) -> list[Item]:
        """Sign some bundles; runs in the caller's pool, because the library frees the GIL."""
        return [
            sign_bundle(self.keys[trader], self.chain, 0, nonce, records)
            for trader, nonce, records in jobs
        ]

    def _outcome(self, queue: list[Queued], firsts: list[int]) -> Outcome:
        """Read the events of the block that was just executed."""
        codes = [-1] * len(queue)
        fills: list[Fill] = []
        events = self.executor.events
        columns = ("kind", "code", "end", "side", "bundle", "command", "order_id",
                   "counter_order_id", "price", "size", "remaining")  # fmt: skip
        for row in zip(*(events[name].tolist() for name in columns), strict=True):
            kind, code, end, side, bundle, command, order, counter, price, size, remaining = row
            if kind == EventKind.FILL:
                index = firsts[bundle] + command
                maker, taker = self.names.get(counter, 0), queue[index].client
                fills.append(Fill(index, side, maker, taker, size, price))
                self._opened(counter, maker, remaining)
            elif kind == EventKind.CANCELLED:
                self._opened(order, self.names.get(order, 0), 0)
                self.tally.self_trades += end == End.SELF_TRADE
            elif kind == EventKind.RECEIPT:
                index = firsts[bundle] + command
                codes[index] = code
                if code:
                    self.tally.rejects[Reject(code).name] += 1
                elif queue[index].client:
                    self._opened(order, queue[index].client, remaining)
            elif kind == EventKind.REDUCED:
                self.tally.self_trades += 1
            else:
                assert kind == EventKind.DEPOSITED, f"event {row} in a replay"
        assert -1 not in codes, "every command has its receipt"
        self.tally.fills += len(fills)
        self.tally.filled_lots += sum(fill.lots for fill in fills)
        return Outcome(codes, fills)

    def _opened(self, order: int, client: int, lots: int) -> None:
        """Note how many lots of an order stand in the book now."""
        if lots and client:
            self.names[order] = client
            self.open[client] = lots
        else:
            self.names.pop(order, None)
            self.open.pop(client, None)

    # --- at the end --------------------------------------------------------------------------
    def report(self) -> dict[str, Any]:
        """Say what every replay says: counts, conservation, root, and where the time went."""
        wall = max(1, self.world.clock_ns() - self.started_ns)
        timing, tally = self.timing, self.tally
        known = timing.sign + timing.admit + timing.execute + timing.root
        return {
            "commands": tally.commands,
            "bundles": tally.bundles,
            "blocks": tally.blocks,
            "fills": tally.fills,
            "rejects": dict(sorted(tally.rejects.items())),
            "self_trades": tally.self_trades,
            "conservation_delta": conservation_delta(self.executor.image(), self.deposited),
            "state_root": self.executor.root.hex(),
            "commands_per_second": tally.commands * 1_000_000_000 // wall,
            "time_ms": {
                "sign": timing.sign // MILLION,
                "admit": timing.admit // MILLION,
                "execute": timing.execute // MILLION,
                "root": timing.root // MILLION,
                "replayer": (wall - known) // MILLION,
                "wall": wall // MILLION,
            },
        }


def conservation_delta(image: Image, deposited: Counter[int]) -> int:
    """Add up a final image and compare with what the bridge was told to credit.

    Cash and fees against the quote asset's deposits, units held against every other asset's, and
    long against short in every perpetual market; the absolute differences are added. Nothing of the
    executor's own audit is used.
    """
    cash = int(image[Table.ACCOUNTS].rows["cash_e6"].sum(dtype=np.int64))
    fees = int(image[Table.LEDGER].rows[0]["fees_e6"])
    delta = abs(cash + fees - deposited[QUOTE])
    held: Counter[int] = Counter()
    positions = np.frombuffer(image[Table.ACCOUNTS].tail, POSITION)
    for key, size in zip(positions["key"].tolist(), positions["size"].tolist(), strict=True):
        held[key] += size
    for asset in range(1, len(image[Table.ASSETS].rows)):
        delta += abs(held.pop(ASSET_KEY + asset, 0) - deposited[asset])
    return delta + sum(abs(lots) for lots in held.values())
