"""From a home to a running node, and from a halted home to one that may run again."""

import json
from dataclasses import dataclass
from typing import Any

from quorate.replica.executor import Executor
from quorate.replica.ledger import Settings
from quorate.replica.messages import Append, Effect
from quorate.replica.records import (
    RESUMED,
    checkpoint_payload,
    checkpoint_read,
    checkpoint_signed,
)
from quorate.replica.replica import Replica
from quorate.runtime.disk import HomeRefused, HomeUnsound
from quorate.runtime.files import LogFiles, follow_segments, segment_numbers
from quorate.runtime.halt import Halt, read_halt, remove_halt
from quorate.runtime.home import Home, signer_of
from quorate.runtime.recover import Progress, Recovered, recover, refuse_lost_log
from quorate.storage.log import Kind, Torn
from quorate.storage.writer import Entry


@dataclass(frozen=True, slots=True)
class Started:
    """A replica that stands where the log ends, and what it took to get there."""

    files: LogFiles
    replica: Replica
    snapshot: str | None
    blocks: int
    bundles: int
    commands: int
    torn: Torn | None

    @property
    def executor(self) -> Executor:
        """The state."""
        return self.replica.executor


def refuse_halted(home: Home) -> None:
    """Refuse to go on over a halt. Raises HomeUnsound."""
    halt = read_halt(home.path)
    if halt is not None:
        raise HomeUnsound(
            f"{home.path} is {halt.words}. When you know why, "
            f"`quorate resume {home.path} --reason TEXT` lets it run again."
        )


def settings_of(home: Home) -> Settings:
    """Read the key, and take from the configuration what the replica wants to know."""
    key, signer = signer_of(home.path)
    return Settings(
        home.identity, key, signer, home.config.heartbeat_ms, home.config.every_blocks
    )


def start(home: Home, progress: Progress | None = None) -> Started:
    """Take the lock and recover.

    Raises StorageRefusal, ReplayRefused or VersionMissing before anything is changed but a torn
    tail; AuditFailed; StorageFailed.
    """
    settings = settings_of(home)
    refuse_halted(home)
    refuse_lost_log(home)
    refuse_other_signer(home, settings)
    files = LogFiles.open(home.path, home.identity, home.config.segment_bytes)
    ready = False
    try:
        found = recover(home, files, progress)
        replica = standing(files, settings, found)
        ready = True
    finally:
        if not ready:
            files.close()
    replay = found.replay
    return Started(
        files,
        replica,
        found.plan.snapshot,
        replay.executor.height - found.plan.height,
        replay.bundles,
        replay.commands,
        files.torn,
    )


def refuse_other_signer(home: Home, settings: Settings) -> None:
    """Refuse a key that is not the one that signed this chain last. Raises HomeRefused.

    Looks into the last segment without the lock; one without a checkpoint says nothing.
    """
    numbers = segment_numbers(home.path)
    for scan in follow_segments(home.path, home.identity, numbers[-1]) if numbers else ():
        for record in reversed(scan.records):
            if record.kind != Kind.CHECKPOINT:
                continue
            # Nothing, where a validator only observed.
            signatures = checkpoint_read(record.payload, home.identity).signatures
            signed = next(iter(signatures), settings.signer)
            if signed != settings.signer:
                raise HomeRefused(
                    f"Height {record.height} of {home.path} was signed by {signed.hex()}, but its "
                    f"checkpoint.key is that of {settings.signer.hex()}; put the right key there."
                )
            break


def standing(files: LogFiles, settings: Settings, found: Recovered) -> Replica:
    """Sign the last block if a crash came between, and make the replica."""
    replay = found.replay
    executor, checkpoint = replay.executor, replay.checkpoint
    if replay.unsigned:
        checkpoint = checkpoint_signed(
            settings.key,
            settings.signer,
            settings.identity,
            executor.height,
            executor.chain()["exec_block_digest"].tobytes(),
            executor.root,
        )
        payload = checkpoint_payload(checkpoint)
        files.append([Entry(Kind.CHECKPOINT, executor.height, payload)])
        files.sync()
    return Replica(executor, settings, checkpoint, replay.trades)


def resume(home: Home, reason: str) -> Halt:
    """Log why a halted home may run again, then remove the marker; give what the marker said.

    Raises HomeRefused when the home is not halted or a node runs; LogDamaged; StorageFailed.
    """
    refuse_lost_log(home)
    with LogFiles.open(home.path, home.identity, home.config.segment_bytes) as files:
        halt = read_halt(home.path)
        if halt is None:
            raise HomeRefused(f"{home.path} is not halted; `quorate run {home.path}` starts it.")
        note: dict[str, Any] = {
            "digest": halt.digest.hex(),
            "halted_for": halt.reason,
            "height": halt.height,
            "resumed_for": reason,
        }
        data = json.dumps(note, sort_keys=True).encode("ascii")
        files.append([Entry(RESUMED, files.height_last, data)])
        files.sync()
        remove_halt(home.path)
    return halt


def log_effects(files: LogFiles, effects: list[Effect]) -> None:
    """Append and sync what a step wants logged: for programs that drive a replica themselves."""
    files.append([Entry(e.kind, e.height, e.payload) for e in effects if isinstance(e, Append)])
    files.sync()


