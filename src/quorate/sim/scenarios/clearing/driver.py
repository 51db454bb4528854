"""A machine driven through blocks of ordinary bundles, and what its state looks like in between."""

import hashlib
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from quorate.codec.commands import Command, encode_command
from quorate.execution.image import Image
from quorate.execution.machine import genesis_image
from quorate.replica.executor import Executor, kernel_machine, spec_machine
from quorate.types.blocks import Genesis
from quorate.types.limits import COMMAND_BYTES, COMMANDS_PER_BUNDLE_MAX
from quorate.types.records import ADMITTED, POSITION, Table

# They shape derived indexes alone.
SECRETS: Final = np.arange(2_001, 2_009, dtype=np.int64)
Records = NDArray[np.uint8]


class Driver:
    """Queue bundles with `send`, make a block of them with `block`. Bundles need no signature."""

    def __init__(self, genesis: Genesis, spec: bool = False) -> None:
        image = genesis_image(genesis)
        machine: Any = spec_machine(image) if spec else kernel_machine(image, SECRETS)
        self.executor = Executor(machine)
        self.queue: list[tuple[bytes, Records]] = []
        self.nonces: dict[bytes, int] = {}
        self.height, self.time_ms = 0, genesis.time_ms
        self.look = Look(image, self.time_ms)
        self.before = self.look

    def send(self, signer: bytes, *commands: Command) -> None:
        """Queue one bundle of commands."""
        data = b"".join(map(encode_command, commands))
        self.send_records(signer, np.frombuffer(data, np.uint8).reshape(-1, COMMAND_BYTES))

    def send_records(self, signer: bytes, records: Records) -> None:
        """Queue records, in as many bundles as they need."""
        for at in range(0, len(records), COMMANDS_PER_BUNDLE_MAX):
            self.queue.append((signer, records[at : at + COMMANDS_PER_BUNDLE_MAX]))

    def block(self, time_ms: int) -> Any:
        """Execute what is queued as the next block; give its events, EVENT[k]."""
        queue, self.queue = self.queue, []
        bundles = np.zeros(len(queue), ADMITTED)
        first = 0
        for row, (signer, records) in zip(bundles, queue, strict=True):
            nonce = self.nonces[signer] = max(self.nonces.get(signer, 0) + 1, time_ms)
            row["signer"] = np.frombuffer(signer, np.uint8)
            row["nonce"], row["first"], row["count"], row["kind"] = nonce, first, len(records), 1
            first += len(records)
        empty = np.zeros((0, COMMAND_BYTES), np.uint8)
        commands = np.concatenate([empty, *[records for _, records in queue]])
        self.height += 1
        self.time_ms = time_ms
        digest = hashlib.sha256(bundles.tobytes() + commands.tobytes()).digest()
        events = self.executor.apply(self.height, time_ms, 1, digest, bundles, commands).copy()
        self.executor.commit()  # with the node's own audit
        self.before, self.look = self.look, Look(self.executor.image(), time_ms)
        return events

    def root(self) -> str:
        """State root after the last block, in hex."""
        return self.executor.root.hex()


class Look:
    """An image, and where each account's positions stand in it."""

    def __init__(self, image: Image, time_ms: int) -> None:
        self.image, self.time_ms = image, time_ms
        self.accounts = image[Table.ACCOUNTS].rows
        self.positions = np.frombuffer(image[Table.ACCOUNTS].tail, POSITION)
        self.ends = np.cumsum(self.accounts["positions_count"].astype(np.int64))
        self.markets = image[Table.MARKETS].rows
        self.risk = image[Table.RISK].rows
        self.feeds = image[Table.FEEDS].rows
        self.ledger = image[Table.LEDGER].rows[0]

    def slots(self) -> dict[bytes, int]:
        """Account numbers by address; the sub-account 0 alone."""
        return {
            row["address"].tobytes(): slot
            for slot, row in enumerate(self.accounts)
            if slot and not row["sub"]
        }

    def cells(self, slot: int) -> Any:
        """Positions of an account, POSITION[n]."""
        end = int(self.ends[slot])
        return self.positions[end - int(self.accounts["positions_count"][slot]) : end]

    def position(self, slot: int, market: int) -> int:
        """Signed lots that an account holds in a market."""
        for cell in self.cells(slot):
            if cell["key"] == market:
                return int(cell["size"])
        return 0
