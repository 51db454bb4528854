"""A node's home directory: what `init` writes there and `run` reads.

    home/genesis.json          the application's genesis, canonical JSON
    home/config.toml           what the operator chooses; see config.py
    home/keys/checkpoint.key   the key that signs checkpoints: 64 hex digits, mode 0600
    home/keys/ROLE.key         bridge, governance, oracle: of a development chain alone
    home/log, home/snapshots   see files.py
    home/endpoint              where the running node listens

The home of a validator of a chain of many (made by validators.py) has no checkpoint.key, but

    home/consensus.json        the consensus genesis, canonical JSON: who orders the chain, and how
    home/keys/consensus.key    the key that signs votes and checkpoints: secp256k1
    home/keys/transport.key    the key that proves itself to other validators: Ed25519 seed

That of a node whose blocks CometBFT orders (made by cometbft/homes.py) has no key of its own, but

    home/cometbft              CometBFT's own home, unless that is elsewhere
    home/abci.sock             where CometBFT reaches the node

Whatever an operator may have got wrong is a HomeRefused: one sentence, and nothing was changed.
"""

import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from quorate.codec.consensus_genesis import (
    consensus_hash,
    decode_consensus_genesis,
    encode_consensus_genesis,
)
from quorate.codec.genesis import GenesisInvalid, decode_genesis, encode_genesis, genesis_hash
from quorate.codec.nesting import json_within
from quorate.crypto import address_of, is_key, public_key
from quorate.execution.machine import genesis_image
from quorate.execution.spec.genesis import GenesisRefused
from quorate.runtime import development
from quorate.runtime.config import CLUSTER, COMETBFT, SOLO, Config, read_bytes, read_config
from quorate.runtime.config import CONFIG_TEXT as CONFIG_TEXT
from quorate.runtime.config import MIB as MIB
from quorate.runtime.disk import HomeRefused, fsync_folder, io_failing, write_whole
from quorate.runtime.files import LOCK_NAME, LOG_FOLDER, SNAPSHOT_FOLDER, LogFiles
from quorate.runtime.peers.certificates import SEED_BYTES, transport_public_key
from quorate.storage.log import Identity
from quorate.types.blocks import Genesis
from quorate.types.consensus import ConsensusGenesis

GENESIS_NAME: Final = "genesis.json"
CONSENSUS_NAME: Final = "consensus.json"
CONFIG_NAME: Final = "config.toml"
KEYS_FOLDER: Final = "keys"
CHECKPOINT_KEY: Final = "checkpoint"
CONSENSUS_KEY: Final = "consensus"
TRANSPORT_KEY: Final = "transport"
KEY_MODE: Final = 0o600
COMETBFT_FOLDER: Final = "cometbft"
COMETBFT_GENESIS: Final = "config/genesis.json"
COMETBFT_LEVELS_MAX: Final = 256  # of its genesis, whose app_state may hold anything
COMETBFT_KEY: Final = "config/priv_validator_key.json"
PARTS: Final = (
    GENESIS_NAME, CONSENSUS_NAME, LOG_FOLDER, SNAPSHOT_FOLDER, LOCK_NAME, CONFIG_NAME, KEYS_FOLDER,
    COMETBFT_FOLDER,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Home:
    """A home that has been read and found sound.

    consensus: None but of engine cluster. me: the validator's index in it, or in the genesis of
    the CometBFT home inside; -1 where there is none.
    """

    path: Path
    genesis: Genesis
    genesis_hash: bytes
    config: Config
    consensus: ConsensusGenesis | None = None
    consensus_hash: bytes = b""
    me: int = -1

    @property
    def engine(self) -> str:
        """Say who orders the chain: one of ENGINES."""
        if self.config.cometbft is not None:
            return COMETBFT
        return SOLO if self.consensus is None else CLUSTER

    @property
    def identity(self) -> Identity:
        """Whose log it is."""
        return Identity(self.genesis.chain_id, self.genesis_hash)


# --- reading -------------------------------------------------------------------------------------
def read_home(path: Path) -> Home:
    """Read genesis and configuration, and of a validator its place. Raises HomeRefused."""
    names = names_in(path)
    if GENESIS_NAME not in names:
        if any(name in names for name in (KEYS_FOLDER, LOG_FOLDER)):
            raise HomeRefused(
                f"{path} has lost its {GENESIS_NAME}; put a copy back, from a peer or a backup."
            )
        if names:
            raise HomeRefused(f"{path} is not a home, and not empty; name another folder.")
        raise HomeRefused(f"{path} is not a home; `quorate init {path}` makes one.")
    genesis, digest = read_genesis(path / GENESIS_NAME)
    config = read_config(path / CONFIG_NAME)
    alone = Home(path, genesis, digest, config)
    if config.cometbft is not None:
        if CONSENSUS_NAME in names:
            raise HomeRefused(
                f"{path / CONFIG_NAME} has a section [{COMETBFT}], but {CONSENSUS_NAME} is of the "
                f"engine {CLUSTER}; remove one of them."
            )
        return replace(alone, me=cometbft_index(path))
    if COMETBFT_FOLDER in names:
        raise HomeRefused(
            f"{path} has CometBFT's home inside, but {path / CONFIG_NAME} has no section "
            f"[{COMETBFT}]; put it back: docs/cometbft.md says what stands there."
        )
    if CONSENSUS_NAME in names:
        return read_validator(alone)
    if config.cluster is not None:
        raise HomeRefused(
            f"{path} has lost its {CONSENSUS_NAME}; put a copy back, from a peer or a backup."
        )
    return alone


def names_in(path: Path) -> list[str]:
    """Name what a folder holds, nothing if there is none. Raises HomeRefused."""
    try:
        return os.listdir(path)
    except FileNotFoundError:
        return []
    except NotADirectoryError:
        raise HomeRefused(f"{path} is a file, not a home; name a folder.") from None
    except OSError as error:
        raise HomeRefused(f"{path} cannot be read: {error.strerror}.") from error


def read_genesis(path: Path) -> tuple[Genesis, bytes]:
    """Read a genesis and check it by the rules of the transition. Raises HomeRefused."""
    data = read_bytes(path)
    try:
        # An editor may have added a line end; the canonical form has none.
        genesis = decode_genesis(data.removesuffix(b"\n"))
        genesis_image(genesis)
    except (GenesisInvalid, GenesisRefused) as error:
        raise HomeRefused(f"{path}: {error}") from error
    return genesis, genesis_hash(genesis)


def read_consensus(path: Path) -> tuple[ConsensusGenesis, bytes]:
    """Read a consensus genesis, and give its hash. Raises HomeRefused."""
    data = read_bytes(path)
    try:
        consensus = decode_consensus_genesis(data.removesuffix(b"\n"))
    except GenesisInvalid as error:
        raise HomeRefused(f"{path} is no consensus.json: {error}") from error
    for index, validator in enumerate(consensus.validators):
        if address_of(validator.consensus_key) is None:
            raise HomeRefused(
                f"{path}: validators[{index}].consensus_key is no point of the curve; "
                "it must be a secp256k1 public key."
            )
    return consensus, consensus_hash(consensus)


def read_validator(alone: Home) -> Home:
    """Complete the home of a validator: its files must fit one another. Raises HomeRefused."""
    path = alone.path / CONSENSUS_NAME
    config_path = alone.path / CONFIG_NAME
    consensus, digest = read_consensus(path)
    if consensus.chain_id != alone.genesis.chain_id:
        raise HomeRefused(
            f"{path} is of chain {consensus.chain_id}, but {GENESIS_NAME} is of chain "
            f"{alone.genesis.chain_id}; put the files of one chain there."
        )
    if consensus.app_genesis != alone.genesis_hash:
        raise HomeRefused(
            f"{path} is for the genesis {consensus.app_genesis.hex()}, but {GENESIS_NAME} has the "
            f"hash {alone.genesis_hash.hex()}; put the files of one chain there."
        )
    if alone.config.cluster is None:
        raise HomeRefused(
            f"{config_path} has no section [cluster], which a validator of {CONSENSUS_NAME} needs."
        )
    peers, validators = len(alone.config.cluster.peers), len(consensus.validators)
    if peers != validators:
        raise HomeRefused(
            f"{config_path}: cluster.peers has {peers} entries, but {CONSENSUS_NAME} has "
            f"{validators} validators; name one address for each, in that order."
        )
    if alone.config.cluster.signer:
        me = transport_index(alone.path, consensus)
    else:
        me = own_index(alone.path, consensus)
    return replace(alone, consensus=consensus, consensus_hash=digest, me=me)


def cometbft_index(home: Path) -> int:
    """Say which validator of CometBFT's genesis the key in a home's CometBFT home is, or -1.

    A node that only follows, one with a remote signer, one whose CometBFT home is elsewhere and a
    validator that joined later are none of them. Raises HomeRefused.
    """
    folder = home / COMETBFT_FOLDER
    try:
        key = json_within((folder / COMETBFT_KEY).read_bytes())["address"]
        genesis = json_within((folder / COMETBFT_GENESIS).read_bytes(), COMETBFT_LEVELS_MAX)
        return [row["address"] for row in genesis["validators"]].index(key)
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return -1  # CometBFT itself says what is wrong with its files
    except OSError as error:
        raise HomeRefused(f"{error.filename} cannot be read: {error.strerror}.") from error


def transport_index(home: Path, consensus: ConsensusGenesis) -> int:
    """Say which validator a home's transport key is that of; a remote signer has the other.

    Raises HomeRefused.
    """
    public = transport_public_key(read_secret(home, TRANSPORT_KEY))
    for index, validator in enumerate(consensus.validators):
        if validator.transport_key == public:
            return index
    raise HomeRefused(
        f"{key_path(home, TRANSPORT_KEY)} is that of {public.hex()}, which no validator of "
        f"{CONSENSUS_NAME} has; put the right key there."
    )


def own_index(home: Path, consensus: ConsensusGenesis) -> int:
    """Say which validator a home's keys are those of. Raises HomeRefused."""
    public = public_key(read_key(home, CONSENSUS_KEY))
    transport = transport_public_key(read_secret(home, TRANSPORT_KEY))
    found: dict[str, int] = {}
    for index, validator in enumerate(consensus.validators):
        if validator.consensus_key == public:
            found[CONSENSUS_KEY] = index
        if validator.transport_key == transport:
            found[TRANSPORT_KEY] = index
    for name, key in ((CONSENSUS_KEY, public), (TRANSPORT_KEY, transport)):
        if name not in found:
            raise HomeRefused(
                f"{key_path(home, name)} is that of {key.hex()}, which no validator of "
                f"{CONSENSUS_NAME} has; put the right key there."
            )
    me, other = found[CONSENSUS_KEY], found[TRANSPORT_KEY]
    if me != other:
        raise HomeRefused(
            f"{key_path(home, TRANSPORT_KEY)} is that of validator {other}, but "
            f"{CONSENSUS_KEY}.key is that of validator {me}; put the right key there."
        )
    return me


def key_path(home: Path, name: str) -> Path:
    """Where a key lies."""
    return home / KEYS_FOLDER / f"{name}.key"


def read_key(home: Path, name: str) -> bytes:
    """Read a secret key of secp256k1. Raises as `read_secret`."""
    key = read_secret(home, name)
    if not is_key(key):
        raise no_key(key_path(home, name))
    return key


def no_key(path: Path) -> HomeRefused:
    """Say that a file holds no key."""
    return HomeRefused(f"{path} holds no key: 64 hex digits are expected.")


def read_secret(home: Path, name: str) -> bytes:
    """Read 32 secret bytes of a home. Raises as `secret_in`."""
    return secret_in(key_path(home, name))


def secret_in(path: Path) -> bytes:
    """Read 32 secret bytes. Raises HomeRefused, also when others may read the file."""
    data = read_bytes(path)
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise HomeRefused(f"{path} can be read by others (mode {mode:o}); run chmod 600 on it.")
    try:
        secret = bytes.fromhex(data.decode("ascii").strip())
    except ValueError:
        secret = b""
    if len(secret) != SEED_BYTES:
        raise no_key(path)
    return secret


# --- making --------------------------------------------------------------------------------------
def init_home(
    path: Path, genesis_path: Path | None = None, config_text: str = CONFIG_TEXT
) -> Home:
    """Make a home with a founded log; what fails leaves nothing. Raises HomeRefused, StorageFailed.

    Without a genesis of the operator's, the home is of the development chain, with its keys.
    """
    if names_in(path):
        raise HomeRefused(f"{path} is not empty; choose a new folder.")
    if genesis_path is None:
        genesis = development.cleared_genesis()
    else:
        genesis, _ = read_genesis(genesis_path)
    keys = {CHECKPOINT_KEY: fresh_key(), **role_keys(genesis_path)}
    with begun(path):
        home = founded(path, genesis, config_text, keys)
        publish(home)
    return home


def role_keys(genesis_path: Path | None) -> dict[str, bytes]:
    """Give the keys that a home of the development chain holds besides its own."""
    roles = development.ROLES if genesis_path is None else ()
    return {role: development.role_key(role) for role in roles}


def founded(
    path: Path,
    genesis: Genesis,
    config_text: str,
    keys: Mapping[str, bytes],
    consensus: ConsensusGenesis | None = None,
) -> Home:
    """Write all of a home but its genesis, within `begun`. Raises HomeRefused, StorageFailed."""
    with io_failing("write", path):
        for name, key in keys.items():
            write_key(path, name, key)
        write_whole(path / CONFIG_NAME, [config_text.encode("ascii")])
        if consensus is not None:
            write_whole(path / CONSENSUS_NAME, [encode_consensus_genesis(consensus)])
    home = Home(path, genesis, genesis_hash(genesis), read_config(path / CONFIG_NAME))
    if consensus is not None:
        home = read_validator(home)
    LogFiles.create(path, home.identity, home.config.segment_bytes).close()
    return home


def publish(home: Home) -> None:
    """Write the genesis of a home that is founded. Raises StorageFailed.

    It comes last: without it a folder is no home, whatever else a crash left.
    """
    with io_failing("write", home.path):
        write_whole(home.path / GENESIS_NAME, [encode_genesis(home.genesis)])


@contextmanager
def begun(path: Path) -> Iterator[None]:
    """Make the folders of a home; remove what is in them, should it not come to its end.

    Raises HomeRefused, when another process has begun this home too.
    """
    absent = [folder for folder in (path, *path.parents) if not folder.exists()]
    parts: list[Path] = []
    whole = False
    try:
        try:
            (path / KEYS_FOLDER).mkdir(parents=True, mode=0o700)
        except OSError as error:
            raise HomeRefused(f"{path} cannot be made: {error.strerror}.") from error
        # From here on all that is in the folder is ours.
        parts = [path / name for name in PARTS]
        yield
        whole = True
    finally:
        if not whole:
            for part in parts:
                with suppress(OSError):
                    shutil.rmtree(part) if part.is_dir() else part.unlink(missing_ok=True)
            for folder in absent:
                with suppress(OSError):
                    folder.rmdir()


def fresh_key() -> bytes:
    """Draw a secret key."""
    key = secrets.token_bytes(32)
    while not is_key(key):
        key = secrets.token_bytes(32)
    return key


def write_key(home: Path, name: str, key: bytes) -> None:
    """Write a secret key that only its owner can read. Raises OSError."""
    path = key_path(home, name)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, KEY_MODE)
    try:
        os.write(fd, key.hex().encode("ascii") + b"\n")
        os.fsync(fd)
    finally:
        os.close(fd)
    fsync_folder(path.parent)


def signer_of(home: Path) -> tuple[bytes, bytes]:
    """Read the key that signs checkpoints; give it and its public key. Raises HomeRefused."""
    name = CONSENSUS_KEY if CONSENSUS_NAME in names_in(home) else CHECKPOINT_KEY
    key = read_key(home, name)
    return key, public_key(key)
