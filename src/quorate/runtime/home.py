"""A node's home directory: what `init` writes there and `run` reads.

    home/genesis.json          the application's genesis, canonical JSON
    home/config.toml           what the operator chooses; see CONFIG_TEXT
    home/keys/checkpoint.key   the key that signs checkpoints: 64 hex digits, mode 0600
    home/keys/ROLE.key         bridge, governance, oracle: of a development chain alone
    home/log, home/snapshots   see files.py
    home/endpoint              where the running node listens

Whatever an operator may have got wrong is a HomeRefused: one sentence, and nothing was changed.
"""

import os
import secrets
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from quorate.codec.genesis import GenesisInvalid, decode_genesis, encode_genesis, genesis_hash
from quorate.crypto import is_key, public_key
from quorate.execution.machine import genesis_image
from quorate.execution.spec.genesis import GenesisRefused
from quorate.runtime import development
from quorate.runtime.disk import HomeRefused, fsync_folder, io_failing, write_whole
from quorate.runtime.endpoint import UNIX, endpoint_read
from quorate.runtime.files import LOCK_NAME, LOG_FOLDER, SNAPSHOT_FOLDER, LogFiles
from quorate.storage.log import Identity
from quorate.types.blocks import Genesis

GENESIS_NAME: Final = "genesis.json"
CONFIG_NAME: Final = "config.toml"
KEYS_FOLDER: Final = "keys"
CHECKPOINT_KEY: Final = "checkpoint"
KEY_MODE: Final = 0o600
PARTS: Final = (GENESIS_NAME, LOG_FOLDER, SNAPSHOT_FOLDER, LOCK_NAME, CONFIG_NAME, KEYS_FOLDER)
MIB: Final = 1 << 20

CONFIG_TEXT: Final = """\
# Quorate node. Every value shown is the default; changes take effect at the next start.

[node]
# Where clients connect: "unix" is a socket in this folder, which guards it, and whose path must
# be short; or "tcp:127.0.0.1:7070".
listen = "unix"
# An empty block after this much silence, so that orders expire without traffic; 0 for none.
heartbeat_ms = 0
# Threads that verify signatures; 0 is one per processor.
admission_threads = 0
# Requests waiting in memory, in MiB, before clients are told to send later.
queue_mib = 64
# "kernel" runs the compiled rules, "spec" their readable definition: slow, for comparison.
machine = "kernel"

[log]
# Size of one preallocated segment.
segment_mib = 64
# Where segments and snapshots go that are no longer needed; "" deletes them.
archive = ""

[snapshots]
# A snapshot every so many blocks; 0 for none, and then the log is never pruned.
every_blocks = 10000
"""


@dataclass(frozen=True, slots=True)
class Config:
    """What config.toml says. archive: None deletes."""

    listen: str
    heartbeat_ms: int
    admission_threads: int
    queue_mib: int
    machine: str
    segment_mib: int
    archive: Path | None
    every_blocks: int

    @property
    def segment_bytes(self) -> int:
        """Size of a segment of the log."""
        return self.segment_mib * MIB


@dataclass(frozen=True, slots=True)
class Home:
    """A home that has been read and found sound."""

    path: Path
    genesis: Genesis
    genesis_hash: bytes
    config: Config

    @property
    def identity(self) -> Identity:
        """Whose log it is."""
        return Identity(self.genesis.chain_id, self.genesis_hash)


# --- reading -------------------------------------------------------------------------------------
def read_home(path: Path) -> Home:
    """Read genesis and configuration. Raises HomeRefused."""
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
    return Home(path, genesis, digest, read_config(path / CONFIG_NAME))


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


def read_bytes(path: Path) -> bytes:
    """Read an operator's file. Raises HomeRefused."""
    try:
        return path.read_bytes()
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


def read_config(path: Path) -> Config:
    """Read the configuration; what it does not say is as in CONFIG_TEXT. Raises HomeRefused."""
    try:
        tree = tomllib.loads(read_bytes(path).decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise HomeRefused(f"{path} is not TOML: {error}.") from error
    known: dict[str, dict[str, Any]] = tomllib.loads(CONFIG_TEXT)
    values: dict[str, Any] = {}
    for section, defaults in known.items():
        given = tree.pop(section, {})
        if not isinstance(given, Mapping):
            raise HomeRefused(f"{path}: {section} must be a section, [{section}].")
        for key, default in defaults.items():
            value = given.get(key, default)
            if type(value) is not type(default):
                kind = "a text" if isinstance(default, str) else "an integer"
                raise HomeRefused(f"{path}: {section}.{key} must be {kind}.")
            values[key] = value
        for key in given:
            if key not in defaults:
                raise HomeRefused(f"{path}: {section}.{key} is not a setting; remove it.")
    for section in tree:
        raise HomeRefused(f"{path}: {section} is not a section; remove it.")
    return checked_config(path, values)


def checked_config(path: Path, values: dict[str, Any]) -> Config:
    """Check ranges. Raises HomeRefused."""
    archive = Path(values["archive"]) if values["archive"] else None
    config = Config(**{**values, "archive": archive})
    bounds = {
        "heartbeat_ms": (0, 3_600_000),
        "admission_threads": (0, 256),
        "queue_mib": (16, 1 << 14),
        "segment_mib": (1, 2048),
        "every_blocks": (0, 1 << 40),
    }
    for key, (low, high) in bounds.items():
        if not low <= values[key] <= high:
            raise HomeRefused(f"{path}: {key} must be from {low} to {high}.")
    if config.machine not in ("kernel", "spec"):
        raise HomeRefused(f'{path}: machine must be "kernel" or "spec".')
    endpoint = endpoint_read(config.listen)
    if config.listen != UNIX and (endpoint is None or endpoint.path):
        raise HomeRefused(f'{path}: listen must be "unix" or "tcp:HOST:PORT".')
    if archive is not None and not archive.is_dir():
        raise HomeRefused(f"{path}: the archive {archive} is not a folder; make it first.")
    return config


def key_path(home: Path, name: str) -> Path:
    """Where a key lies."""
    return home / KEYS_FOLDER / f"{name}.key"


def read_key(home: Path, name: str) -> bytes:
    """Read a secret key. Raises HomeRefused, also when others may read the file."""
    path = key_path(home, name)
    data = read_bytes(path)
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise HomeRefused(f"{path} can be read by others (mode {mode:o}); run chmod 600 on it.")
    try:
        key = bytes.fromhex(data.decode("ascii").strip())
    except ValueError:
        key = b""
    if not is_key(key):
        raise HomeRefused(f"{path} holds no key: 64 hex digits are expected.")
    return key


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
        genesis = development.genesis()
    else:
        genesis, _ = read_genesis(genesis_path)
    with begun(path):
        with io_failing("write", path):
            write_key(path, CHECKPOINT_KEY, fresh_key())
            if genesis_path is None:
                for role in development.ROLES:
                    write_key(path, role, development.role_key(role))
            write_whole(path / CONFIG_NAME, [config_text.encode("ascii")])
        config = read_config(path / CONFIG_NAME)
        home = Home(path, genesis, genesis_hash(genesis), config)
        LogFiles.create(path, home.identity, config.segment_bytes).close()
        with io_failing("write", path):
            # The genesis comes last: without it a folder is no home, whatever else a crash left.
            write_whole(path / GENESIS_NAME, [encode_genesis(genesis)])
    return home


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
    key = read_key(home, CHECKPOINT_KEY)
    return key, public_key(key)
