"""The homes of validators whose blocks CometBFT orders: ours, and CometBFT's own inside each.

    folder/validator-0, folder/validator-1 ...   each a whole home, see runtime/home.py
    folder/validator-0/cometbft                  what `cometbft start --home` takes
        config/config.toml                       what differs from CometBFT's defaults
        config/genesis.json                      validators and consensus parameters, alike in all
        config/node_key.json                     Ed25519; names this node to the others
        config/priv_validator_key.json           Ed25519; signs votes
        data/priv_validator_state.json           what that key has signed last

Or, for a node that joins a chain, or whose operator has a CometBFT home already, our half alone.

Files are as CometBFT v0.38 and v1 read them: v0.38 docs, "Using CometBFT" and "Configuration";
spec, "Data Structures" for addresses, "P2P: Peer Identity" for node ids. Our node holds no key that
signs. Its state is bound to the chain by app_state: the hash of our genesis and our chain id.
"""

import base64
import hashlib
import json
import os
import re
import secrets
import time
import tomllib
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from quorate.codec.genesis import genesis_hash
from quorate.codec.items import ITEM_HEAD
from quorate.codec.nesting import json_within
from quorate.runtime import development
from quorate.runtime.config import CONFIG_TEXT, MIB, RPC_DEFAULT, cometbft_text
from quorate.runtime.disk import HomeRefused, fsync_folder, io_failing, write_whole
from quorate.runtime.endpoint import Endpoint, abci_endpoint
from quorate.runtime.home import (
    COMETBFT_FOLDER,
    COMETBFT_GENESIS,
    COMETBFT_KEY,
    COMETBFT_LEVELS_MAX,
    CONFIG_NAME,
    KEY_MODE,
    Home,
    begun,
    founded,
    names_in,
    publish,
    read_genesis,
    read_home,
    role_keys,
)
from quorate.runtime.peers.certificates import SEED_BYTES, transport_public_key
from quorate.runtime.validators import LOOPBACK, endpoints
from quorate.types.blocks import Genesis
from quorate.types.limits import BLOCK_BYTES_MAX, BUNDLE_BYTES_MAX

PORT_BASE: Final = 26_656  # CometBFT's own, for the links between nodes; its RPC has the next one
PORTS_EACH: Final = 2
FOLDER_MODE: Final = 0o700
COMET_CONFIG: Final = "config/config.toml"
NODE_KEY: Final = "config/node_key.json"
SIGNED_STATE: Final = "data/priv_validator_state.json"
ADDRESS_BOOK: Final = "config/addrbook.json"
ADDRESS_BYTES: Final = 20
CHAIN_ID_LETTERS_MAX: Final = 50

COMET_BLOCK_BYTES: Final = 4 * MIB
TX_BYTES_MAX: Final = ITEM_HEAD.size + BUNDLE_BYTES_MAX
MEMPOOL_BUNDLES: Final = 50_000
MEMPOOL_BYTES: Final = 64 * MIB
RPC_BATCH_MAX: Final = 1_000  # requests in one body
RPC_BODY_BYTES_MAX: Final = 8 * MIB
assert COMET_BLOCK_BYTES + TX_BYTES_MAX <= BLOCK_BYTES_MAX
# A body takes the largest transaction, which it carries in base 64.
assert 2 * TX_BYTES_MAX <= RPC_BODY_BYTES_MAX

COMET_TEXT: Final = """\
# CometBFT's configuration, made by `quorate init`. It holds what differs from CometBFT's defaults.
proxy_app = "{proxy_app}"
moniker = "{moniker}"

[rpc]
# Our node sends clients' bundles here, many in a body. Not for other machines.
laddr = "{rpc}"
max_request_batch_size = {batch_max}
max_body_bytes = {body_bytes_max}

[p2p]
laddr = "{listen}"
external_address = "{external}"
persistent_peers = "{peers}"
unconditional_peer_ids = "{peer_ids}"
{loopback}
[mempool]
# What waits is not checked again after each block: a bundle whose nonce was used changes nothing.
recheck = false
size = {size}
max_txs_bytes = {txs_bytes_max}
cache_size = {cache_size}
# The largest bundle. Nodes of a chain must agree about it.
max_tx_bytes = {tx_bytes_max}
"""
LOOPBACK_TEXT: Final = """\
# All nodes are on one machine.
addr_book_strict = false
allow_duplicate_ip = true
"""


@dataclass(frozen=True, slots=True)
class CometKeys:
    """The secret seeds of one CometBFT node, Ed25519."""

    validator: bytes
    node: bytes

    @property
    def address(self) -> str:
        """Give the validator's address as CometBFT writes it."""
        return address_of_key(transport_public_key(self.validator)).hex().upper()

    @property
    def node_id(self) -> str:
        """Give the name by which other nodes know this one."""
        return address_of_key(transport_public_key(self.node)).hex()


@dataclass(frozen=True, slots=True)
class CometPlace:
    """What a CometBFT home says of its chain and its place. count: of validators at genesis."""

    chain_id: str
    count: int
    node_id: str
    listen: Endpoint
    peers: tuple[Endpoint, ...]


def address_of_key(public: bytes) -> bytes:
    """Give CometBFT's address of an Ed25519 public key: the first bytes of its SHA-256."""
    return hashlib.sha256(public).digest()[:ADDRESS_BYTES]


def comet_chain_id(genesis: Genesis) -> str:
    """Name the CometBFT chain of an application's genesis."""
    name = f"quorate-{genesis.chain_id}-{genesis_hash(genesis).hex()[:16]}"
    assert len(name) <= CHAIN_ID_LETTERS_MAX
    return name


def app_state(genesis: Genesis) -> dict[str, str]:
    """Give the app_state of CometBFT's genesis, by which the application knows its own."""
    return {"app_genesis": genesis_hash(genesis).hex(), "chain_id": str(genesis.chain_id)}


# --- making --------------------------------------------------------------------------------------
def init_comet(
    folder: Path,
    count: int,
    genesis_path: Path | None = None,
    hosts: Sequence[str] | None = None,
    port_base: int | None = None,
    config_text: str = CONFIG_TEXT,
) -> list[Home]:
    """Make the homes of all validators of a chain under CometBFT; what fails leaves nothing.

    hosts: one per validator, this machine's loopback if none are given. Each takes two ports, for
    its links and its RPC; of validators at one host they count up from port_base. Raises
    HomeRefused, StorageFailed.
    """
    peers = endpoints(count, hosts, PORT_BASE if port_base is None else port_base, PORTS_EACH)
    if names_in(folder):
        raise HomeRefused(f"{folder} is not empty; choose a new folder.")
    genesis = (
        development.cleared_genesis() if genesis_path is None else read_genesis(genesis_path)[0]
    )
    keys = [
        CometKeys(secrets.token_bytes(SEED_BYTES), secrets.token_bytes(SEED_BYTES))
        for _ in range(count)
    ]
    # The first block has the time of the genesis, and refuses nonces of a day later or more.
    begin_ms = max(genesis.time_ms, time.time_ns() // 1_000_000)
    document = comet_genesis(genesis, keys, begin_ms)
    homes = []
    with ExitStack() as stack:
        for index in range(count):
            path = folder / f"validator-{index}"
            stack.enter_context(begun(path))
            rpc = Endpoint(host=LOOPBACK, port=peers[index].port + 1)
            home = founded(path, genesis, cometbft_text(config_text, rpc), role_keys(genesis_path))
            text = comet_text(home, index, peers, keys)
            with io_failing("write", path):
                write_comet(path / COMETBFT_FOLDER, text, document, keys[index])
            homes.append(replace(home, me=index))
        for home in homes:
            publish(home)
    return homes


def init_comet_node(
    path: Path, genesis_path: Path | None = None, config_text: str = CONFIG_TEXT
) -> Home:
    """Make our half of one node, beside a CometBFT home that the operator has or will have.

    What fails leaves nothing. Raises HomeRefused, StorageFailed.
    """
    if names_in(path):
        raise HomeRefused(f"{path} is not empty; choose a new folder.")
    genesis = (
        development.cleared_genesis() if genesis_path is None else read_genesis(genesis_path)[0]
    )
    with begun(path):
        text = cometbft_text(config_text, RPC_DEFAULT)
        home = founded(path, genesis, text, role_keys(genesis_path))
        publish(home)
    return home


def write_comet(folder: Path, text: str, document: bytes, keys: CometKeys) -> None:
    """Write CometBFT's home. Raises OSError."""
    for name in (folder, folder / "config", folder / "data"):
        name.mkdir(mode=FOLDER_MODE)
    write_whole(folder / COMET_CONFIG, [text.encode("ascii")])
    write_whole(folder / COMETBFT_GENESIS, [document])
    public = transport_public_key(keys.validator)
    signer = {
        "address": keys.address,
        "pub_key": public_json(public),
        "priv_key": private_json(keys.validator),
    }
    write_private(folder / COMETBFT_KEY, signer)
    write_private(folder / NODE_KEY, {"priv_key": private_json(keys.node)})
    write_private(folder / SIGNED_STATE, {"height": "0", "round": 0, "step": 0})
    fsync_folder(folder)


def write_private(path: Path, tree: Any) -> None:
    """Write JSON that only its owner can read. Raises OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, KEY_MODE)
    try:
        os.write(fd, json_bytes(tree))
        os.fsync(fd)
    finally:
        os.close(fd)
    fsync_folder(path.parent)


def json_bytes(tree: Any) -> bytes:
    """Write JSON for a reader."""
    return json.dumps(tree, indent=2).encode("ascii") + b"\n"


def public_json(public: bytes) -> dict[str, str]:
    """Write a public key as CometBFT does."""
    return {"type": "tendermint/PubKeyEd25519", "value": base64.b64encode(public).decode()}


def private_json(seed: bytes) -> dict[str, str]:
    """Write a secret key as CometBFT does: the seed, then the public key."""
    value = base64.b64encode(seed + transport_public_key(seed)).decode()
    return {"type": "tendermint/PrivKeyEd25519", "value": value}


def comet_genesis(genesis: Genesis, keys: Sequence[CometKeys], begin_ms: int) -> bytes:
    """Write CometBFT's genesis: validators of one weight, its default limits of evidence.

    begin_ms: the time of the first block.
    """
    validators = [
        {
            "address": its.address,
            "pub_key": public_json(transport_public_key(its.validator)),
            "power": "1",
            "name": f"validator-{index}",
        }
        for index, its in enumerate(keys)
    ]
    return json_bytes(
        {
            "genesis_time": rfc3339(begin_ms),
            "chain_id": comet_chain_id(genesis),
            "initial_height": "1",
            "consensus_params": {
                "block": {"max_bytes": str(COMET_BLOCK_BYTES), "max_gas": "-1"},
                "evidence": {
                    "max_age_num_blocks": "100000",
                    "max_age_duration": "172800000000000",  # two days, in nanoseconds
                    "max_bytes": str(MIB),
                },
                "validator": {"pub_key_types": ["ed25519"]},
                "version": {"app": "0"},
                # Of v0.38; v1 has them under `feature`, off where nothing is said.
                "abci": {"vote_extensions_enable_height": "0"},
            },
            "validators": validators,
            "app_hash": "",
            "app_state": app_state(genesis),
        }
    )


def rfc3339(time_ms: int) -> str:
    """Write a time as CometBFT's genesis has it."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ms % 1_000:03d}Z"


def comet_text(
    home: Home, index: int, peers: Sequence[Endpoint], keys: Sequence[CometKeys]
) -> str:
    """Write CometBFT's configuration of one validator."""
    cometbft = home.config.cometbft
    assert cometbft is not None
    others = [at for at in range(len(peers)) if at != index]
    here = peers[index]
    loopback = all(peer.host == LOOPBACK for peer in peers)
    crowded = Counter(peer.host for peer in peers).most_common(1)[0][1] > 1
    listen = here if loopback else Endpoint(host="0.0.0.0", port=here.port)
    shared = LOOPBACK_TEXT if loopback else "allow_duplicate_ip = true\n" if crowded else ""
    return COMET_TEXT.format(
        proxy_app=proxy_app(home),
        moniker=f"validator-{index}",
        rpc=comet_address(cometbft.rpc),
        batch_max=RPC_BATCH_MAX,
        body_bytes_max=RPC_BODY_BYTES_MAX,
        listen=comet_address(listen),
        external=dialled(here),
        peers=",".join(f"{keys[at].node_id}@{dialled(peers[at])}" for at in others),
        peer_ids=",".join(keys[at].node_id for at in others),
        loopback=shared,
        size=MEMPOOL_BUNDLES,
        txs_bytes_max=MEMPOOL_BYTES,
        cache_size=2 * MEMPOOL_BUNDLES,
        tx_bytes_max=TX_BYTES_MAX,
    )


def proxy_app(home: Home) -> str:
    """Say where the node of a home listens to CometBFT, in CometBFT's words. Raises HomeRefused."""
    assert home.config.cometbft is not None
    return comet_address(abci_endpoint(home.path, home.config.cometbft.abci))


def comet_address(endpoint: Endpoint) -> str:
    """Write an endpoint as CometBFT's settings have it."""
    return f"unix://{endpoint.path}" if endpoint.path else f"tcp://{dialled(endpoint)}"


def dialled(endpoint: Endpoint) -> str:
    """Write host and port."""
    host = endpoint.host
    return f"{f'[{host}]' if ':' in host and host[0] != '[' else host}:{endpoint.port}"


# --- reading -------------------------------------------------------------------------------------
def comet_place(home: Home) -> CometPlace:
    """Read what CometBFT's home inside a home says. Raises HomeRefused."""
    folder = home.path / COMETBFT_FOLDER
    try:
        genesis = json_within((folder / COMETBFT_GENESIS).read_bytes(), COMETBFT_LEVELS_MAX)
        node_key = json_within((folder / NODE_KEY).read_bytes())
        config = tomllib.loads((folder / COMET_CONFIG).read_text(encoding="utf-8"))
        public = base64.b64decode(node_key["priv_key"]["value"])[SEED_BYTES:]
        peers = [text for text in config["p2p"]["persistent_peers"].split(",") if text]
        return CometPlace(
            str(genesis["chain_id"]),
            len(genesis["validators"]),
            address_of_key(public).hex(),
            endpoint_dialled(config["p2p"]["laddr"].rpartition("//")[2]),
            tuple(endpoint_dialled(peer.rpartition("@")[2]) for peer in peers),
        )
    except OSError as error:
        raise HomeRefused(f"{error.filename} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HomeRefused(f"{folder} is no home of CometBFT as `quorate init` makes it.") from error


def endpoint_dialled(text: str) -> Endpoint:
    """Read host and port. Raises ValueError."""
    host, _, port = text.rpartition(":")
    return Endpoint(host=host, port=int(port))


# --- moving --------------------------------------------------------------------------------------
def comet_ports(homes: Sequence[Home]) -> list[int]:
    """Give the ports of a testnet, two for each validator. Raises HomeRefused."""
    found = []
    for home in homes:
        assert home.config.cometbft is not None
        found += [comet_place(home).listen.port, home.config.cometbft.rpc.port]
    return found


def comet_rebased(homes: list[Home], base: int) -> list[Home]:
    """Write other ports into the homes of a testnet; give the homes as they are then.

    What a node has noted of where others are goes away: they are there no longer. Raises
    HomeRefused, StorageFailed.
    """
    changed = {port: base + at for at, port in enumerate(comet_ports(homes))}
    place = re.compile(rf"\b{re.escape(LOOPBACK)}:({'|'.join(map(str, changed))})\b")

    def renamed(found: "re.Match[str]") -> str:
        return f"{LOOPBACK}:{changed[int(found[1])]}"

    for home in homes:
        folder = home.path / COMETBFT_FOLDER
        with io_failing("write", home.path):
            for path in (home.path / CONFIG_NAME, folder / COMET_CONFIG):
                text = place.sub(renamed, path.read_text(encoding="utf-8"))
                write_whole(path, [text.encode("utf-8")])
            (folder / ADDRESS_BOOK).unlink(missing_ok=True)
    return [read_home(home.path) for home in homes]
