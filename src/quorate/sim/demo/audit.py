"""The log of a home executed once more from genesis, beside the node, and held against a ledger.

Every block's root is computed anew and must be the one that the node has signed. Which bundles
executed, and how often, is read from the events of this second execution.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from quorate.replica.executor import Executor
from quorate.replica.records import block_read
from quorate.replica.replay import Replay
from quorate.sim.demo.ledger import Ledger, Name
from quorate.storage.log import Identity, Kind, SegmentScan
from quorate.types.clearing_codes import LiquidationStep
from quorate.types.codes import EventKind

LISTED_MAX: Final = 3
CLOSING_STEPS: Final = (int(LiquidationStep.SOLD_ON_BOOK), int(LiquidationStep.TAKEN_BY_VAULT))


@dataclass
class Audit:
    """What the log says. roots: of every height; executed: how often each bundle did.

    marks: how many the clearing house set. liquidated: height and index of every event in which a
    position was sold on the book or taken over by the vault; traders_liquidated: whose.
    """

    height: int = 0
    root: str = ""
    commands: int = 0
    fills: int = 0
    log_bytes: int = 0
    roots: dict[int, str] = field(default_factory=dict)
    executed: Counter[Name] = field(default_factory=Counter)
    marks: int = 0
    liquidated: list[tuple[int, int]] = field(default_factory=list)
    traders_liquidated: dict[int, None] = field(default_factory=dict)


def audited(
    executor: Executor, identity: Identity, scans: Iterable[SegmentScan], height_last: int
) -> Audit:
    """Execute a log up to a height. Raises ReplayRefused, AuditFailed."""
    replay = Replay(executor, identity, roots_every=1)
    audit = Audit(roots={executor.height: executor.root.hex()})
    for scan in scans:
        for record in scan.records:
            if record.height > height_last:
                break
            replay.feed([record])
            audit.log_bytes += len(record.payload)
            if record.kind == Kind.CHECKPOINT:
                audit.roots[executor.height] = executor.root.hex()
            if record.kind == Kind.BLOCK:
                fold(audit, bytes(record.payload), executor)
    replay.settle()
    audit.height, audit.root = executor.height, executor.root.hex()
    audit.commands = replay.commands
    return audit


def fold(audit: Audit, payload: bytes, executor: Executor) -> None:
    """Count the bundles of a block that executed."""
    rows, events = block_read(payload).rows, executor.events
    stood_still = np.zeros(len(rows), bool)
    stood_still[events["bundle"][events["kind"] == EventKind.BUNDLE]] = True
    audit.fills += int(np.count_nonzero(events["kind"] == EventKind.FILL))
    audit.marks += int(np.count_nonzero(events["kind"] == EventKind.MARKED))
    closed = (events["kind"] == EventKind.LIQUIDATED) & np.isin(events["code"], CLOSING_STEPS)
    audit.liquidated += [(executor.height, at) for at in np.flatnonzero(closed).tolist()]
    audit.traders_liquidated.update(dict.fromkeys(events["account"][closed].tolist()))
    for signer, nonce, still in zip(
        rows["signer"], rows["nonce"].tolist(), stood_still.tolist(), strict=True
    ):
        if not still:
            audit.executed[signer.tobytes(), nonce] += 1


def named(names: list[Name]) -> str:
    """Name the first few bundles of a list."""
    shown = [f"0x{signer.hex()[:8]}:{nonce}" for signer, nonce in names[:LISTED_MAX]]
    return ", ".join(shown) + (" ..." if len(names) > LISTED_MAX else "")


def lost(audit: Audit, ledger: Ledger) -> list[Name]:
    """List bundles that were acknowledged and did not execute."""
    known = [*ledger.acknowledged, *ledger.executed_before]
    return [name for name in known if not audit.executed[name]]


def doubled(audit: Audit) -> list[Name]:
    """List bundles that executed more than once."""
    return [name for name, times in audit.executed.items() if times > 1]


def disagreements(audit: Audit, ledger: Ledger, roots_seen: dict[int, str]) -> list[str]:
    """List in sentences where the log is not what the clients were told."""
    found = []
    missing, twice = lost(audit, ledger), doubled(audit)
    stray = [name for name in audit.executed if name not in ledger.sent]
    wrongly = [
        name
        for name in ledger.refused
        if audit.executed[name] and name not in ledger.acknowledged
    ]
    if missing:
        found.append(f"{len(missing)} acknowledged bundles are missing: {named(missing)}")
    if twice:
        found.append(f"{len(twice)} bundles executed more than once: {named(twice)}")
    if stray:
        found.append(f"{len(stray)} bundles executed that nobody sent: {named(stray)}")
    if wrongly:
        found.append(f"{len(wrongly)} refused bundles executed: {named(wrongly)}")
    for height, root in roots_seen.items():
        if height <= audit.height and audit.roots.get(height) != root:
            found.append(f"the root of height {height} was {root[:16]} and is now another")
    return found
