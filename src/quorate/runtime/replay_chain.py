"""A validator's finalized blocks, executed once more as a node alone would, and compared.

From genesis on, each executable block is taken from its bytes: its bundles are admitted anew, so
that signers are recovered and not believed, and the ledger of the solo engine executes them. What
it comes to is held against the checkpoints that this validator signed and against the certificates
of the quorum, at every height that has one. Read without the home's lock; changes nothing.

Where CometBFT orders, the quorum's signature is in its headers: those are asked for, if it runs.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from quorate.admission import admit_block, chain_of
from quorate.codec.items import BLOCK_HEAD, decode_items
from quorate.crypto.signatures import MapCall
from quorate.execution.machine import genesis_image
from quorate.replica.errors import AuditFailed, ReplayRefused, VersionMissing
from quorate.replica.ledger import Ledger, Ordered, Settings
from quorate.replica.messages import Halt, Stop
from quorate.replica.records import CERTIFIED, TRUSTED, checkpoint_read
from quorate.runtime.certified import certificate_fault, certificate_read
from quorate.runtime.disk import HomeRefused
from quorate.runtime.endpoint import Endpoint
from quorate.runtime.files import follow_segments
from quorate.runtime.home import Home
from quorate.runtime.recover import executor_of, refuse_lost_log, segments_listed
from quorate.runtime.validators import validator_set
from quorate.storage.log import Kind, Record
from quorate.types.codes import Reject
from quorate.types.consensus import CheckpointCertificate

LISTED_MAX: Final = 20
Progress = Callable[[int, int], None]


@dataclass
class Compared:
    """What came of it. heights: executed; own, certified: how many of each were held against.

    headers: of CometBFT, the same; unreached: why its headers were not compared. differences:
    sentences, the first LISTED_MAX of `different`.
    """

    heights: int = 0
    bundles: int = 0
    commands: int = 0
    root: str = ""
    own: int = 0
    certified: int = 0
    headers: int = 0
    unreached: str = ""
    different: int = 0
    differences: list[str] = field(default_factory=list)

    def differs(self, sentence: str) -> None:
        """Note a difference."""
        self.different += 1
        if len(self.differences) < LISTED_MAX:
            self.differences.append(sentence)


class Solo:
    """The solo engine's ledger, fed with the records of a validator's log."""

    def __init__(self, home: Home, map_call: MapCall) -> None:
        self.home = home
        self.map_call = map_call
        self.chain = chain_of(*home.identity)
        executor = executor_of(home, genesis_image(home.genesis))
        # It signs nothing.
        self.ledger = Ledger(
            executor, Settings(home.identity, b"", b""), sign=lambda checkpoint: None
        )
        self.root_first = executor.root
        self.found = Compared(root=executor.root.hex())
        self.results: dict[int, tuple[bytes, bytes]] = {}
        self.early: dict[int, CheckpointCertificate] = {}
        self.votes = None if home.consensus is None else validator_set(home.consensus)

    def feed(self, record: Record) -> None:
        """Take a record. Raises HomeRefused, ReplayRefused, VersionMissing, AuditFailed."""
        if record.kind == Kind.BLOCK:
            self.block(record)
        elif record.kind == Kind.CHECKPOINT:
            own = checkpoint_read(record.payload, self.home.identity)
            self.found.own += 1
            self.compare(own.height, own.exec_block_digest, own.state_root, "this validator")
        elif record.kind == CERTIFIED and self.votes is not None:
            certificate = certificate_read(record, len(self.votes.keys))
            if certificate.height in self.results:
                self.certified(certificate)
            else:
                self.early[certificate.height] = certificate

    def block(self, record: Record) -> None:
        """Admit and execute a block from its bytes. Raises as `feed`."""
        payload = bytes(record.payload)
        height, time_ms, _, count = BLOCK_HEAD.unpack_from(payload)
        at = self.ledger.executor.height
        if height <= at:
            return  # logged again after a crash, before it was signed
        if height != at + 1:
            raise HomeRefused(
                f"The log of {self.home.path} goes on from a snapshot: it has no block {at + 1}. "
                "Name a home whose log is whole."
            )
        items = payload[BLOCK_HEAD.size : len(payload) - count * TRUSTED.itemsize]
        decoded = decode_items(items)
        if isinstance(decoded, Reject) or len(decoded) != count:
            raise ReplayRefused(f"Block {height} of the log is no sequence of {count} items.")
        admitted = admit_block(decoded, self.chain, self.map_call)
        if not admitted.is_sound():
            raise ReplayRefused(f"Block {height} of the log holds a bundle that is not sound.")
        block = Ordered(height, time_ms, items, admitted.rows, admitted.commands)
        effects = self.ledger.execute(block)
        for effect in effects:
            if isinstance(effect, Halt):
                raise AuditFailed(effect.reason)
            if isinstance(effect, Stop):
                raise VersionMissing(f"{effect.reason}.")
        made = self.ledger.checkpoint
        assert made is not None and made.height == height
        self.results[height] = (made.exec_block_digest, made.state_root)
        found = self.found
        found.heights, found.root = height, made.state_root.hex()
        found.bundles += count
        found.commands += len(admitted.commands)
        certificate = self.early.pop(height, None)
        if certificate is not None:
            self.certified(certificate)

    def certified(self, certificate: CheckpointCertificate) -> None:
        """Hold a certificate against what we came to."""
        assert self.votes is not None
        self.found.certified += 1
        height = certificate.height
        fault = certificate_fault(certificate, self.home, self.votes)
        if fault:
            self.found.differs(f"the certificate of height {height} does not hold: {fault}")
        self.compare(height, certificate.exec_block_digest, certificate.state_root, "a quorum")

    def compare(self, height: int, digest: bytes, root: bytes, who: str) -> None:
        """Hold a signed root against ours."""
        ours = self.results.get(height)
        if ours is None:
            self.found.differs(f"{who} signed height {height}, whose block is not in the log")
        elif ours[0] != digest:
            self.found.differs(
                f"height {height}: {who} signed block {digest.hex()[:16]}, not {ours[0].hex()[:16]}"
            )
        elif ours[1] != root:
            self.found.differs(
                f"height {height}: {who} signed root {root.hex()[:16]}, not {ours[1].hex()[:16]}"
            )


def replayed_chain(home: Home, progress: Progress | None = None) -> Compared:
    """Execute the whole log of a home once more and compare.

    Raises HomeRefused when the log does not reach back to genesis, ReplayRefused, VersionMissing,
    AuditFailed, and as `follow_segments`.
    """
    refuse_lost_log(home)
    segments = segments_listed(home)
    if segments[0].height_before:
        raise HomeRefused(
            f"The log of {home.path} starts after height {segments[0].height_before}; put the "
            "archived segments back into a copy of the home."
        )
    goal = segments[-1].height_last
    with ThreadPoolExecutor(thread_name_prefix="signatures") as pool:
        solo = Solo(home, pool.map)
        for scan in follow_segments(home.path, home.identity):
            for record in scan.records:
                solo.feed(record)
                if progress is not None and record.kind == Kind.BLOCK:
                    progress(record.height, max(goal, record.height))
    for height in sorted(solo.early):
        solo.certified(solo.early[height])
    if home.config.cometbft is not None:
        compare_headers(solo, home.config.cometbft.rpc)
    return solo.found


def compare_headers(solo: Solo, rpc: Endpoint) -> None:
    """Hold what we came to against CometBFT's headers, if it answers."""
    # Its library is an extra, which no other engine needs.
    from quorate.runtime.cometbft.headers import header_differences
    from quorate.runtime.cometbft.rpc import RpcFailed

    roots = {0: solo.root_first, **{height: root for height, (_, root) in solo.results.items()}}
    try:
        solo.found.headers, differences = header_differences(rpc, roots)
    except RpcFailed as failed:
        solo.found.unreached = str(failed)
        return
    for sentence in differences:
        solo.found.differs(sentence)
