"""A home's config.toml: what it may say, and how it is read.

The section [cluster] stands in the home of a validator of a chain of many, and only there. What all
validators must share, the times of agreement among them, is in consensus.json instead. The section
[cometbft] stands in the home of a node whose blocks CometBFT orders; what belongs to agreement is
in CometBFT's own configuration.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from quorate.runtime.disk import HomeRefused
from quorate.runtime.endpoint import UNIX, Endpoint, endpoint_read

MIB: Final = 1 << 20
CLUSTER: Final = "cluster"
COMETBFT: Final = "cometbft"
SOLO: Final = "solo"
ENGINES: Final = (SOLO, CLUSTER, COMETBFT)
HEARTBEAT: Final = "heartbeat_ms"
RPC_DEFAULT: Final = Endpoint(host="127.0.0.1", port=26_657)  # CometBFT's own

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

CLUSTER_TEXT: Final = """
[cluster]
# Where this validator listens to the others. Put 0.0.0.0 or [::] for the host if the address by
# which they reach it is not this machine's own.
listen = "{listen}"
# Where each validator is reached, this one included, in the order of consensus.json.
peers = [
{peers}
]
# Where a remote signer holds this validator's consensus key, "unix:PATH" of `quorate signer`; "":
# the key lies in this home, and the log is its guard.
signer = ""
"""

COMETBFT_TEXT: Final = """
[cometbft]
# Where CometBFT reaches this node, its proxy_app: "unix" is the socket abci.sock in this folder;
# or "unix:PATH", or "tcp:HOST:PORT" of a network that only the two share.
abci = "{abci}"
# Where this node reaches CometBFT's RPC, rpc.laddr there.
rpc = "{rpc}"
"""


def cluster_text(config_text: str, listen: Endpoint, peers: Sequence[Endpoint]) -> str:
    """Write the configuration of a validator from that of a node alone."""
    shown = "\n".join(f'    "{peer}",' for peer in peers)
    return without_heartbeat(config_text) + CLUSTER_TEXT.format(listen=listen, peers=shown)


def cometbft_text(config_text: str, rpc: Endpoint) -> str:
    """Write the configuration of a node under CometBFT from that of a node alone."""
    return without_heartbeat(config_text) + COMETBFT_TEXT.format(abci=UNIX, rpc=rpc)


def without_heartbeat(config_text: str) -> str:
    """Leave out of a configuration what only a node alone decides for itself."""
    sections = []
    for section in config_text.split("\n\n"):
        # The setting with the comment above it.
        kept = section.splitlines()
        at = [at for at, line in enumerate(kept) if line.startswith(HEARTBEAT)]
        for last in at:
            first = last
            while first > 0 and kept[first - 1].startswith("#"):
                first -= 1
            del kept[first : last + 1]
        sections.append("\n".join(kept))
    return "\n\n".join(sections).rstrip("\n") + "\n"


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where a validator listens to the others, and where each is reached, itself included.

    signer: the path of a remote signer's socket, empty where the home holds the key.
    """

    listen: Endpoint
    peers: tuple[Endpoint, ...]
    signer: str = ""


@dataclass(frozen=True, slots=True)
class CometBft:
    """Where CometBFT and its application reach each other; abci is read by `abci_endpoint`."""

    abci: str
    rpc: Endpoint


@dataclass(frozen=True, slots=True)
class Config:
    """What config.toml says. archive: None deletes. cluster, cometbft: None under other engines."""

    listen: str
    heartbeat_ms: int
    admission_threads: int
    queue_mib: int
    machine: str
    segment_mib: int
    archive: Path | None
    every_blocks: int
    cluster: Cluster | None = None
    cometbft: CometBft | None = None

    @property
    def segment_bytes(self) -> int:
        """Size of a segment of the log."""
        return self.segment_mib * MIB


def read_bytes(path: Path) -> bytes:
    """Read an operator's file. Raises HomeRefused."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise HomeRefused(f"{path} cannot be read: {error.strerror}.") from error


def read_config(path: Path) -> Config:
    """Read the configuration; what it does not say is as in CONFIG_TEXT. Raises HomeRefused."""
    try:
        tree = tomllib.loads(read_bytes(path).decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise HomeRefused(f"{path} is not TOML: {error}.") from error
    if CLUSTER in tree and COMETBFT in tree:
        raise HomeRefused(
            f"{path}: [{CLUSTER}] and [{COMETBFT}] are two engines, and a chain has one; remove "
            "the section of the other."
        )
    cluster = read_cluster(path, tree.pop(CLUSTER)) if CLUSTER in tree else None
    cometbft = read_cometbft(path, tree.pop(COMETBFT)) if COMETBFT in tree else None
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
    if cluster is not None and values[HEARTBEAT]:
        raise HomeRefused(
            f"{path}: node.{HEARTBEAT} is for a node alone, validators share that of "
            "consensus.json; remove it."
        )
    if cometbft is not None and values[HEARTBEAT]:
        raise HomeRefused(
            f"{path}: node.{HEARTBEAT} is for a node alone, CometBFT has a pace of its own, "
            "create_empty_blocks_interval; remove it."
        )
    values = {**values, CLUSTER: cluster, COMETBFT: cometbft}
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


def read_cluster(path: Path, tree: Any) -> Cluster:
    """Read the section [cluster]. Raises HomeRefused."""
    if not isinstance(tree, Mapping):
        raise HomeRefused(f"{path}: {CLUSTER} must be a section, [{CLUSTER}].")
    for key in tree:
        if key not in ("listen", "peers", "signer"):
            raise HomeRefused(f"{path}: {CLUSTER}.{key} is not a setting; remove it.")
    listen, peers = tree.get("listen"), tree.get("peers")
    endpoint = tcp_endpoint(listen)
    if endpoint is None:
        raise HomeRefused(f'{path}: {CLUSTER}.listen must be "tcp:HOST:PORT".')
    if not isinstance(peers, list):
        raise HomeRefused(f'{path}: {CLUSTER}.peers must be a list of "tcp:HOST:PORT".')
    found: dict[Endpoint, int] = {}
    for index, peer in enumerate(peers):
        reached = tcp_endpoint(peer)
        if reached is None or reached.port == 0:
            raise HomeRefused(f'{path}: {CLUSTER}.peers[{index}] must be "tcp:HOST:PORT".')
        if reached in found:
            raise HomeRefused(
                f"{path}: {CLUSTER}.peers[{index}] is that of peers[{found[reached]}]; "
                "each validator has an address of its own."
            )
        found[reached] = index
    return Cluster(endpoint, tuple(found), read_signer(path, tree.get("signer", "")))


def read_signer(path: Path, text: Any) -> str:
    """Read where a remote signer listens: a path, or nothing. Raises HomeRefused."""
    if text == "":
        return ""
    endpoint = endpoint_read(text) if isinstance(text, str) else None
    if endpoint is None or not endpoint.path:
        raise HomeRefused(f'{path}: {CLUSTER}.signer must be "unix:PATH", or "" for none.')
    return endpoint.path


def read_cometbft(path: Path, tree: Any) -> CometBft:
    """Read the section [cometbft]. Raises HomeRefused."""
    if not isinstance(tree, Mapping):
        raise HomeRefused(f"{path}: {COMETBFT} must be a section, [{COMETBFT}].")
    for key in tree:
        if key not in ("abci", "rpc"):
            raise HomeRefused(f"{path}: {COMETBFT}.{key} is not a setting; remove it.")
    abci, rpc = tree.get("abci", UNIX), tcp_endpoint(tree.get("rpc", str(RPC_DEFAULT)))
    found = endpoint_read(abci) if isinstance(abci, str) else None
    if abci != UNIX and (found is None or not (found.path or found.port)):
        raise HomeRefused(
            f'{path}: {COMETBFT}.abci must be "unix", "unix:PATH" or "tcp:HOST:PORT".'
        )
    if rpc is None or rpc.port == 0:
        raise HomeRefused(f'{path}: {COMETBFT}.rpc must be "tcp:HOST:PORT".')
    return CometBft(abci.strip(), rpc)


def tcp_endpoint(text: Any) -> Endpoint | None:
    """Read `tcp:HOST:PORT`; None for anything else."""
    endpoint = endpoint_read(text) if isinstance(text, str) else None
    return None if endpoint is None or endpoint.path else endpoint
