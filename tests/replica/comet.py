"""A model of CometBFT around our application: what its handshake does after which crash.

Written from CometBFT v0.38 spec, section "ABCI++: Requirements for the Application", "Crash
recovery": of one node, what it has stored of each height (the block, the answer to FinalizeBlock,
its own state), and what it does at start with an application at another height than its own. The
application is the real one over the spec machine, with a log that is a list of records, of which a
crash takes back what was not synced.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from quorate.admission.judge import admit_block
from quorate.codec.items import encode_items
from quorate.replica.application import Application
from quorate.replica.application_messages import (
    Advise,
    Advised,
    Answered,
    Begin,
    Check,
    Codes,
    Commit,
    Decide,
    Done,
    Execute,
    Failed,
    Info,
    Inform,
    Outcome,
    Prepare,
    Process,
    Proposal,
    Submit,
    Verdict,
)
from quorate.replica.ledger import Ledger, Settings
from quorate.replica.mempool import PoolLimits, bundles_of
from quorate.replica.messages import Append, Halt, Refuse, Reply, Sync
from quorate.replica.replay import Replay
from quorate.replica.validator_messages import Admit, Admitted
from quorate.runtime.cometbft.executing import Executing, standing
from quorate.storage.log import Record
from quorate.types.blocks import Item
from tests.replica.world import CHAIN, GENESIS, IDENTITY, executor_of

APP_STATE = (
    f'{{"app_genesis":"{IDENTITY.app_genesis.hex()}","chain_id":"{IDENTITY.chain_id}"}}'.encode()
)
MEMBERS = {bytes([at]) * 20: 1 for at in range(4)}


class Crash(Exception):
    """The process dies here."""


def transactions(*items: Item) -> tuple[bytes, ...]:
    """Write items as transactions."""
    return tuple(encode_items([item]) for item in items)


class Node:
    """The application, its ledger and its log. `records` is what a crash leaves."""

    def __init__(self, records: Sequence[Record] = (), kind: str = "spec") -> None:
        self.records = list(records)
        replay = Replay(executor_of(kind), IDENTITY)
        replay.feed(self.records)
        replay.settle()
        self.ledger = Ledger(
            replay.executor, Settings(IDENTITY, b"", b""), replay.checkpoint, None, lambda _: None
        )
        self.application = Application(IDENTITY, standing(replay.executor), PoolLimits())
        self.executing = Executing(self.ledger, lambda image: executor_of(kind, image), print)
        self.tickets = itertools.count(1)
        self.answers: dict[int, Any] = {}
        self.replies: list[Reply | Refuse] = []
        self.submitted: list[bytes] = []
        self.halts: list[Halt] = []
        self.admitted = 0
        self.advised = 0

    def step(self, event: Any) -> None:
        """Step the application and do what it wants, at once."""
        effects = self.application.step(event)
        self.log([effect for effect in effects if isinstance(effect, Append)], effects)
        for effect in effects:
            if isinstance(effect, Answered):
                assert effect.ticket not in self.answers
                self.answers[effect.ticket] = effect.answer
            elif isinstance(effect, Admit):
                self.admitted += len(effect.items)
                found = bundles_of(effect.items, admit_block(effect.items, CHAIN))
                self.step(Admitted(effect.ticket, tuple(found)))
            elif isinstance(effect, Advise):
                self.advised += len(effect.rows)
                answer = self.executing.advise(effect)
                assert isinstance(answer, Advised)
                self.step(answer)
            elif isinstance(effect, Execute):
                self.step(self.executing.execute(effect))
            elif isinstance(effect, Submit):
                self.submitted += effect.items
            elif isinstance(effect, Reply | Refuse):
                self.replies.append(effect)
            elif isinstance(effect, Halt):
                self.halts.append(effect)

    def log(self, appends: Sequence[Append], effects: Sequence[Any]) -> None:
        """Keep what is appended, and see that it is synced before anything is told."""
        if not appends:
            return
        kinds = [type(effect) for effect in effects]
        told = [at for at, kind in enumerate(kinds) if kind in (Answered, Reply, Refuse)]
        assert all(kinds.index(Sync) < at for at in told)
        for effect in appends:
            sequence = len(self.records) + 1
            self.records.append(
                Record(0, 4096 * sequence, int(effect.kind), 0, 1, sequence, 0,
                       effect.height, effect.payload)
            )  # fmt: skip

    def ask(self, kind: type[Any], *fields: Any) -> Any:
        """Ask what CometBFT asks; give the answer, None where there is none yet."""
        ticket = next(self.tickets)
        self.step(kind(ticket, *fields))
        return self.answers.pop(ticket, None)

    def info(self) -> Info:
        """Ask where the application stands."""
        answer = self.ask(Inform)
        assert isinstance(answer, Info)
        return answer

    def begin(self, **changes: Any) -> Any:
        """Begin the chain."""
        fields = {
            "height": 1, "time_ms": GENESIS.time_ms, "app_state": APP_STATE, "members": MEMBERS,
            "ed25519": True, "extensions": False, "block_bytes_max": 4 << 20, **changes,
        }  # fmt: skip
        return self.ask(Begin, *fields.values())

    def check(self, *txs: bytes) -> tuple[int, ...]:
        """Check transactions together."""
        answer = self.ask(Check, txs)
        assert isinstance(answer, Codes)
        return answer.codes

    def prepare(self, txs: Iterable[bytes], bytes_max: int = 4 << 20) -> tuple[bytes, ...]:
        """Prepare a proposal."""
        answer = self.ask(Prepare, tuple(txs), bytes_max)
        assert isinstance(answer, Proposal)
        return answer.transactions

    def process(self, txs: Iterable[bytes], height: int = 1, time_ms: int = 0) -> str:
        """Judge a proposal; give the fault."""
        answer = self.ask(Process, height, time_ms or GENESIS.time_ms + 1, tuple(txs))
        assert isinstance(answer, Verdict)
        return answer.fault

    def block(self, height: int, time_ms: int, txs: Sequence[bytes]) -> Outcome:
        """Decide and commit a block."""
        outcome = self.ask(Decide, height, time_ms, tuple(txs), MEMBERS)
        assert isinstance(outcome, Outcome), outcome
        assert self.ask(Commit) == Done()
        return outcome


@dataclass
class Store:
    """What one CometBFT has on disk. blocks: (time_ms, transactions) of height 1 and on.

    answered: the height of the last answer to FinalizeBlock that it kept; state: of its own state.
    roots: app hash after each height of its state, that of genesis first.
    """

    blocks: list[tuple[int, tuple[bytes, ...]]] = field(default_factory=list)
    answered: int = 0
    answer: Outcome | None = None
    state: int = 0
    roots: list[bytes] = field(default_factory=list)


class Comet:
    """One CometBFT and its application. Either can crash at any point of a block."""

    POINTS = ("stored", "asked", "finalized", "kept", "logged", "committed", "none")

    def __init__(self) -> None:
        self.store = Store()
        self.node = Node()
        self.node_lost = False

    def handshake(self) -> None:
        """Bring the application to where the chain is."""
        store, info = self.store, self.node.info()
        assert info.height <= len(store.blocks), "the application is ahead of its engine"
        if info.height == 0:
            answer = self.node.begin()
            assert isinstance(answer, Info)
            if not store.roots:
                store.roots.append(answer.root)
        elif info.height <= store.state:
            assert info.root == store.roots[info.height]
        for height in range(info.height + 1, store.state + 1):
            outcome = self.node.block(height, *store.blocks[height - 1])
            assert outcome.root == store.roots[height], "another app hash on replay"
        if store.state < len(store.blocks):
            self.finish(len(store.blocks), "none")

    def finish(self, height: int, crash: str) -> None:
        """Do what is left of a stored block, up to the crash."""
        store, node = self.store, self.node
        time_ms, txs = store.blocks[height - 1]
        if node.info().height == height:
            # It committed, and we did not: its answer must be there, for it is not asked again.
            assert store.answered == height and store.answer is not None, "the answer was not kept"
            outcome = store.answer
        else:
            self.point("asked", crash)
            answer = node.ask(Decide, height, time_ms, txs, MEMBERS)
            assert isinstance(answer, Outcome), answer
            outcome = answer
            self.point("finalized", crash)
            store.answered, store.answer = height, outcome
            self.point("kept", crash)
            assert node.ask(Commit) == Done()
            self.point("logged", crash)
        store.state = height
        store.roots.append(outcome.root)
        self.point("committed", crash)

    def point(self, name: str, crash: str) -> None:
        """Crash here, if it is here."""
        if name == crash:
            raise Crash

    def decide(self, time_ms: int, txs: tuple[bytes, ...], crash: str = "none") -> None:
        """Store a decided block and have it executed, up to the crash."""
        self.store.blocks.append((time_ms, txs))
        self.point("stored", crash)
        self.finish(len(self.store.blocks), crash)

    def restart(self, whole: bool) -> None:
        """Come back. whole: the application died too; else CometBFT alone did."""
        if whole:
            self.node = Node(self.node.records)
        self.handshake()


__all__ = ["APP_STATE", "MEMBERS", "Comet", "Crash", "Failed", "Node", "transactions"]
