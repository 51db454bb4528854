"""From the home of a validator to a core and a ledger that stand where its log ends."""

import secrets
from dataclasses import dataclass

from quorate.codec.consensus import domain
from quorate.ordering.scheme import KeyScheme, Scheme
from quorate.replica.errors import ReplayRefused
from quorate.replica.executor import Executor
from quorate.replica.ledger import Ledger, Settings, Sign, key_signing
from quorate.replica.parts import ValidatorSettings, checkpoint_checking
from quorate.replica.records import RecordRefused, checkpoint_payload
from quorate.replica.resuming import Resuming
from quorate.replica.validator import Validator
from quorate.runtime.cluster.journal import Found, Journal
from quorate.runtime.cluster.syncing import finish_install
from quorate.runtime.files import LogFiles
from quorate.runtime.guard_file import SignerIdentity
from quorate.runtime.home import CONSENSUS_KEY, Home, read_key
from quorate.runtime.recover import Progress, Recovered, recover, refuse_lost_log
from quorate.runtime.remote import RemoteScheme, RemoteSigner, refuse_other_remote
from quorate.runtime.start import refuse_halted, refuse_other_signer
from quorate.runtime.validators import validator_set
from quorate.storage.log import Kind, Torn
from quorate.storage.writer import Entry


@dataclass(frozen=True, slots=True)
class Begun:
    """A validator that stands where its log ends, and what it took to get there."""

    files: LogFiles
    validator: Validator
    ledger: Ledger
    notes: tuple[Found, ...]
    snapshot: str | None
    blocks: int
    commands: int
    torn: Torn | None

    @property
    def executor(self) -> Executor:
        """The state."""
        return self.ledger.executor


def settings_of(home: Home) -> Settings:
    """Read the key, and take from the configuration what the ledger wants to know."""
    assert home.consensus is not None
    key = b"" if remote_of(home) else read_key(home.path, CONSENSUS_KEY)
    signer = home.consensus.validators[home.me].consensus_key
    return Settings(home.identity, key, signer, 0, home.config.every_blocks)


def remote_of(home: Home) -> str:
    """Give the path of a home's remote signer; empty where it holds its key itself."""
    assert home.config.cluster is not None
    return home.config.cluster.signer


def scheme_of(home: Home, key: bytes) -> Scheme:
    """Make what signs and checks votes."""
    assert home.consensus is not None
    validators = validator_set(home.consensus)
    bound = domain(home.consensus.chain_id, home.consensus_hash)
    if remote_of(home):
        return RemoteScheme(validators, bound, home.me, remote_of(home))
    return KeyScheme(validators, bound, key)


def signing_of(home: Home, settings: Settings) -> Sign:
    """Make what signs checkpoints, on the ledger's thread."""
    if remote_of(home):
        return RemoteSigner(remote_of(home)).checkpoint
    return key_signing(settings.key)


def refuse_foreign_signer(home: Home, settings: Settings) -> None:
    """Refuse a remote signer that is not there, or is another validator's. Raises HomeRefused."""
    if remote_of(home):
        identity = SignerIdentity(*home.identity, home.consensus_hash, settings.signer)
        refuse_other_remote(remote_of(home), identity)


def begin(home: Home, progress: Progress | None = None) -> Begun:
    """Take the lock and recover state and agreement.

    Raises as `runtime.start.start`.
    """
    assert home.consensus is not None
    settings = settings_of(home)
    refuse_halted(home)
    refuse_lost_log(home)
    refuse_other_signer(home, settings)
    refuse_foreign_signer(home, settings)
    files = LogFiles.open(home.path, home.identity, home.config.segment_bytes)
    ready = False
    try:
        finish_install(home, files)
        found = recover(home, files, progress)
        resuming, notes = read_back(home, files)
        ledger = standing(files, settings, found, resuming, signing_of(home, settings))
        begun = resumed(home, files, ledger, found, resuming, notes)
        ready = True
    finally:
        if not ready:
            files.close()
    return begun


def standing(
    files: LogFiles, settings: Settings, found: Recovered, resuming: Resuming, sign: Sign
) -> Ledger:
    """Sign the last block if a crash came between, and make the ledger."""
    replay = found.replay
    ledger = Ledger(replay.executor, settings, replay.checkpoint, replay.trades, sign)
    if replay.unsigned:
        executor = replay.executor
        digest = executor.chain()["exec_block_digest"].tobytes()
        ledger.checkpoint = ledger.signed(
            executor.height, digest, executor.root, resuming.signs(executor.height)
        )
        payload = checkpoint_payload(ledger.checkpoint)
        files.append([Entry(Kind.CHECKPOINT, executor.height, payload)])
        files.sync()
    return ledger


def read_back(home: Home, files: LogFiles) -> tuple[Resuming, list[Found]]:
    """Read what the whole log that is kept says of agreement. Raises ReplayRefused."""
    assert home.consensus is not None
    validators = validator_set(home.consensus)
    resuming = Resuming(len(validators.keys), home.config.every_blocks)
    notes: list[Found] = []
    for scan in files.read_segments():
        for record in scan.records:
            try:
                resuming.feed(record)
            except RecordRefused as refused:
                raise ReplayRefused(
                    f"Segment {record.segment} of the log, offset {record.offset}: {refused}."
                ) from refused
            if Journal.concerns(record):
                notes.append(Journal.brief(record, len(validators.keys)))
    return resuming, notes


def resumed(
    home: Home,
    files: LogFiles,
    ledger: Ledger,
    found: Recovered,
    resuming: Resuming,
    notes: list[Found],
) -> Begun:
    """Restore agreement from what the log says."""
    assert home.consensus is not None
    validators = validator_set(home.consensus)
    executor = ledger.executor
    resumption = resuming.resumption(executor.height, executor.time_ms, ledger.checkpoint)
    settings = ValidatorSettings(
        home.identity,
        validators,
        home.consensus.parameters,
        home.me,
        home.genesis.time_ms,
        nonce=secrets.randbits(63),
        snapshot_every=home.config.every_blocks,
    )
    key = ledger.settings.key
    holds = checkpoint_checking(home.identity, validators)
    validator = Validator(settings, scheme_of(home, key), holds, resumption)
    replay = found.replay
    return Begun(
        files,
        validator,
        ledger,
        tuple(notes),
        found.plan.snapshot,
        executor.height - found.plan.height,
        replay.commands,
        files.torn,
    )
