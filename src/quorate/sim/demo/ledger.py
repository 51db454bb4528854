"""What the demo's clients have sent and what they were told.

A bundle is known by its signer and its nonce. After a crash, what was under way is sent again byte
for byte: it either executes now, or its nonce is used, and then it had executed before.
"""

import time
from array import array
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from quorate.admission import Chain, sign_bundle, sign_owner
from quorate.sim.demo.market import Draft, Fault, address, signing_key
from quorate.types.blocks import Item
from quorate.types.codes import EventKind, Reject
from quorate.types.limits import COMMAND_BYTES, DAY_MS

Name = tuple[bytes, int]  # signer, nonce
RECENT_S: Final = 1.0
EXPIRED_MS: Final = 60_000
ENDS: Final = (int(EventKind.RECEIPT), int(EventKind.BUNDLE))


@dataclass(slots=True)
class Sent:
    """A signed bundle on its way. again: sent once more, after a crash."""

    number: int
    name: Name
    item: Item
    commands: int
    sent_s: float = 0.0
    again: bool = False


class Signer:
    """Signs drafts; a signer's nonces are the present time and never the same twice."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.nonces: dict[str, int] = {}
        self.count = 0

    def signed(self, draft: Draft) -> list[Sent]:
        """Sign a draft, with its fault; two results when it is sent twice."""
        now_ms = time.time_ns() // 1_000_000
        nonce = self.nonces[draft.signer] = max(now_ms, self.nonces.get(draft.signer, 0) + 1)
        if draft.fault == Fault.STALE:
            nonce -= 3 * DAY_MS
        expiry_ms = now_ms - EXPIRED_MS if draft.fault == Fault.EXPIRED else 0
        sign = sign_owner if draft.wallet else sign_bundle
        item = sign(signing_key(draft.signer), self.chain, 0, nonce, draft.commands, expiry_ms)
        if draft.fault == Fault.UNSIGNED:
            item = Item(item.kind, item.data[:-1] + b"\xff")
        copies = 2 if draft.fault == Fault.REPEATED else 1
        made = []
        for _ in range(copies):
            self.count += 1
            name = (address(draft.signer), nonce)
            made.append(Sent(self.count, name, item, len(draft.commands) // COMMAND_BYTES))
        return made


@dataclass
class Ledger:
    """The client's own books.

    acknowledged: told that it executed, and at which height. executed_before: executed although the
    node was killed before it could say so. refused: told that nothing changed.
    """

    sent: dict[Name, None] = field(default_factory=dict)
    under_way: dict[int, Sent] = field(default_factory=dict)
    acknowledged: dict[Name, int] = field(default_factory=dict)
    executed_before: dict[Name, None] = field(default_factory=dict)
    refused: dict[Name, None] = field(default_factory=dict)
    rejects: Counter[Reject] = field(default_factory=Counter)
    latencies_s: "array[float]" = field(default_factory=lambda: array("d"))
    recent: deque[tuple[float, int]] = field(default_factory=deque)
    height: int = 0
    commands: int = 0
    bundles: int = 0
    fills: int = 0

    def sending(self, sent: Sent) -> None:
        """Note a bundle that goes out now."""
        self.sent[sent.name] = None
        self.under_way[sent.number] = sent
        sent.sent_s = time.perf_counter()

    def told(self, sent: Sent, height: int, codes: Sequence[Reject], events: Any) -> None:
        """Note what became of a bundle: codes of admission, events of execution."""
        now_s = time.perf_counter()
        del self.under_way[sent.number]
        if codes[0]:
            self.rejects[codes[0]] += 1
            self.refuse(sent, codes[0])
            return
        self.height = max(self.height, height)
        if not sent.again:
            self.latencies_s.append(now_s - sent.sent_s)
        kinds = events["kind"]
        # Other events have codes of their own, such as the state that a series came to.
        ends = np.isin(kinds, ENDS)
        faults = events["code"][ends & (events["code"] != 0)].tolist()
        for code in faults:
            self.rejects[Reject(code)] += 1
        if (kinds == EventKind.BUNDLE).any():
            self.refuse(sent, Reject(faults[0]))
            return
        self.acknowledged[sent.name] = height
        self.bundles += 1
        self.commands += sent.commands
        self.fills += int(np.count_nonzero(kinds == EventKind.FILL))
        self.recent.append((now_s, sent.commands))

    def refuse(self, sent: Sent, code: Reject) -> None:
        """Note that a bundle changed nothing, now or this time."""
        if code != Reject.NONCE_ALREADY_USED:
            self.refused[sent.name] = None
        elif sent.again and not self.known(sent.name):
            self.rejects[code] -= 1
            self.executed_before[sent.name] = None

    def known(self, name: Name) -> bool:
        """Say whether a bundle is known to have executed."""
        return name in self.acknowledged or name in self.executed_before

    def commands_per_s(self) -> float:
        """Give the commands acknowledged in the last second."""
        now_s = time.perf_counter()
        while self.recent and self.recent[0][0] < now_s - RECENT_S:
            self.recent.popleft()
        return sum(count for _, count in self.recent) / RECENT_S

    def latency_ms(self, percent: float, latest: int = 0) -> float:
        """Give a percentile of the time from submission to the executed receipt."""
        values = np.frombuffer(self.latencies_s, np.float64)[-latest:].copy()
        return float(np.percentile(values, percent)) * 1000 if len(values) else 0.0

    def rejects_listed(self) -> list[tuple[Reject, int]]:
        """List rejects by how often they were met."""
        return [(code, count) for code, count in self.rejects.most_common() if count > 0]
