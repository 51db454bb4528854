"""Homes of four validators whose logs hold one short chain, written without any node.

Four ledgers execute the same signed bundles and sign what they come to. Three of their signatures
make a certificate, of every height but those named. Records of agreement stand between, labelled by
views far above the heights.
"""

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

from quorate.admission import admit_block, chain_of, sign_bundle
from quorate.codec.blocks import encode_checkpoint_certificate
from quorate.codec.commands import Faucet, Place, encode_commands
from quorate.codec.items import encode_items
from quorate.commitment.proof import Checkpoint, checkpoint_digest
from quorate.crypto import key_from_seed, public_key, sign_compact
from quorate.execution.machine import genesis_image
from quorate.replica.ledger import Ledger, Ordered, Settings, key_signing
from quorate.replica.messages import Append
from quorate.replica.records import AGREEMENT, CERTIFIED, checkpoint_payload
from quorate.runtime import development
from quorate.runtime.files import LogFiles
from quorate.runtime.home import CONSENSUS_KEY, Home, read_key
from quorate.runtime.recover import executor_of
from quorate.runtime.validators import init_validators
from quorate.storage.log import Kind
from quorate.storage.writer import Entry
from quorate.types.consensus import CheckpointCertificate
from tests.live.nodes import config_text

HEIGHTS = 6
TEXT = config_text(segment_mib=1, machine="spec")
TRADER = key_from_seed("a trader in the logs of validators")
OTHER_ROOT = bytes([0xAB]) * 32


@dataclass(frozen=True)
class Lies:
    """What is written wrong. own: heights of false checkpoints; forged: of false signatures in
    certificates; quorum: at which three validators sign another root; gap: blocks left out.
    """

    own: tuple[int, ...] = ()
    forged: tuple[int, ...] = ()
    quorum: tuple[int, ...] = ()
    gap: tuple[int, ...] = ()


@dataclass
class Written:
    """Homes and the roots of their chain by height."""

    homes: list[Home]
    roots: dict[int, bytes] = field(default_factory=dict)


def key_of(home: Home) -> bytes:
    """Read the key that signs a home's checkpoints."""
    return read_key(home.path, CONSENSUS_KEY)


def ledger_of(home: Home) -> Ledger:
    """Make the ledger of a validator at genesis."""
    key = key_of(home)
    settings = Settings(home.identity, key, public_key(key))
    executor = executor_of(home, genesis_image(home.genesis))
    return Ledger(executor, settings, sign=key_signing(key))


def block_of(home: Home, height: int) -> Ordered:
    """Make the block of a height: a deposit from the faucet and two orders in two bundles."""
    chain = chain_of(*home.identity)
    time_ms = development.TIME_MS + 1_000 * height
    items = []
    for side in (0, 1):
        commands = encode_commands([Faucet(10**9), Place(1, side, 600_000 + height, 1)])
        items.append(sign_bundle(TRADER, chain, 0, time_ms + side, commands))
    admitted = admit_block(items, chain)
    assert admitted.is_sound()
    digest = hashlib.sha256(height.to_bytes(8, "little")).digest()
    data, view = encode_items(items), 100 + height
    return Ordered(height, time_ms, data, admitted.rows, admitted.commands, (), view, digest)


def certificate(homes: list[Home], bare: Checkpoint, forged: bool) -> CheckpointCertificate:
    """Have three validators sign a checkpoint."""
    signed = checkpoint_digest(bare)
    signers = tuple((bare.height + at) % len(homes) for at in range(3))
    signatures = {at: sign_compact(key_of(homes[at]), signed) for at in signers}
    if forged:
        signatures[signers[1]] = signatures[signers[2]]
    return CheckpointCertificate(
        bare.epoch, bare.height, bare.exec_block_digest, bare.state_root,
        tuple(sorted(signers)), tuple(signatures[at] for at in sorted(signers)),
    )  # fmt: skip


def written(folder: Path, uncertified: tuple[int, ...] = (), lies: Lies | None = None) -> Written:
    """Write the homes; none is certified at heights `uncertified`."""
    lies = lies or Lies()
    homes = init_validators(folder, 4, config_text=TEXT)
    made = Written(homes)
    ledgers = [ledger_of(home) for home in homes]
    logs = [
        LogFiles.open(home.path, home.identity, home.config.segment_bytes) for home in homes
    ]
    for height in range(1, HEIGHTS + 1):
        block = block_of(homes[0], height)
        for ledger, log in zip(ledgers, logs, strict=True):
            entries = [Entry(AGREEMENT, block.view + 1, b"\1not read here")]
            for effect in ledger.execute(block):
                if not isinstance(effect, Append) or (
                    effect.kind == Kind.BLOCK and height in lies.gap
                ):
                    continue
                payload = effect.payload
                if effect.kind == Kind.CHECKPOINT and height in lies.own:
                    assert ledger.checkpoint is not None
                    payload = checkpoint_payload(replace(ledger.checkpoint, state_root=OTHER_ROOT))
                entries.append(Entry(effect.kind, effect.height, payload))
            found = ledger.checkpoint
            assert found is not None
            made.roots[height] = found.state_root
            if height not in uncertified:
                bare = replace(found, signatures={})
                if height in lies.quorum:
                    bare = replace(bare, state_root=OTHER_ROOT)
                given = certificate(homes, bare, height in lies.forged)
                entries.append(Entry(CERTIFIED, height, encode_checkpoint_certificate(given, 4)))
            log.append(entries)
    for log in logs:
        log.close()
    return made
