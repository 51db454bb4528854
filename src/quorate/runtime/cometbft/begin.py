"""From the home of a node under CometBFT to an application that stands where its log ends."""

from dataclasses import dataclass

from quorate.replica.application import Application
from quorate.replica.executor import Executor
from quorate.replica.ledger import Ledger, Settings
from quorate.replica.mempool import PoolLimits
from quorate.replica.records import checkpoint_payload
from quorate.runtime.cluster.syncing import finish_install
from quorate.runtime.cometbft.executing import present, standing
from quorate.runtime.disk import HomeRefused
from quorate.runtime.files import LogFiles, segment_numbers, snapshot_names
from quorate.runtime.home import Home
from quorate.runtime.recover import Progress, Recovered, recover
from quorate.runtime.start import refuse_halted
from quorate.storage.log import Kind, Torn
from quorate.storage.writer import Entry


@dataclass(frozen=True, slots=True)
class Begun:
    """An application and its ledger, and what it took to get there.

    base: the height of the last snapshot from which the log went on, 0 for none.
    """

    files: LogFiles
    application: Application
    ledger: Ledger
    snapshot: str | None
    blocks: int
    commands: int
    torn: Torn | None
    base: int

    @property
    def executor(self) -> Executor:
        """The state."""
        return self.ledger.executor


def begin(home: Home, progress: Progress | None = None) -> Begun:
    """Take the lock and recover.

    Raises HomeRefused, HomeUnsound, ReplayRefused, VersionMissing, AuditFailed, StorageFailed.
    """
    refuse_halted(home)
    files = log_of(home)
    ready = False
    try:
        finish_install(home, files)
        found = recover(home, files, progress)
        ledger = ledger_of(home, files, found)
        ready = True
    finally:
        if not ready:
            files.close()
    executor = ledger.executor
    application = Application(home.identity, standing(executor), PoolLimits())
    return Begun(
        files,
        application,
        ledger,
        found.plan.snapshot,
        executor.height - found.plan.height,
        found.replay.commands,
        files.torn,
        max([found.base for found in files.segments_found], default=0),
    )


def log_of(home: Home) -> LogFiles:
    """Open the log, or found one where there is none: CometBFT then tells all of the chain again.

    A log that is lost costs time and nothing else here: this node signs nothing by itself.
    Raises HomeRefused, StorageRefusal, StorageFailed.
    """
    if segment_numbers(home.path):
        return LogFiles.open(home.path, home.identity, home.config.segment_bytes)
    if snapshot_names(home.path):
        raise HomeRefused(
            f"The log of {home.path} is gone, but it has snapshots; move them away, and CometBFT "
            "tells the whole chain again."
        )
    LogFiles.create(home.path, home.identity, home.config.segment_bytes).close()
    return LogFiles.open(home.path, home.identity, home.config.segment_bytes)


def ledger_of(home: Home, files: LogFiles, found: Recovered) -> Ledger:
    """Make the ledger; log the checkpoint of the last block if a crash came between.

    Raises HomeRefused.
    """
    replay = found.replay
    if replay.checkpoint is not None and replay.checkpoint.signatures:
        raise HomeRefused(
            f"{home.path} holds blocks that another engine ordered and signed; a home has one "
            "engine for its life. Take the section [cometbft] out of its config.toml again."
        )
    settings = Settings(home.identity, b"", b"", 0, home.config.every_blocks)
    # The quorum's signature is the commit of the next header, which CometBFT keeps.
    ledger = Ledger(
        replay.executor, settings, replay.checkpoint, replay.trades, lambda checkpoint: None
    )
    if replay.unsigned:
        ledger.checkpoint = present(ledger)
        assert ledger.checkpoint is not None
        if ledger.checkpoint.height > found.plan.height:
            payload = checkpoint_payload(ledger.checkpoint)
            files.append([Entry(Kind.CHECKPOINT, ledger.checkpoint.height, payload)])
            files.sync()
    return ledger
