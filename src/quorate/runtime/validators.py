"""The homes of a chain of many: made together, then each moved to the machine of its validator.

    folder/validator-0, folder/validator-1 ...   each a whole home, see home.py

All keys are made in one place, which suits a test, and the first day of a chain whose operators
trust one of them. Nothing a home holds is needed by another, but for genesis.json, consensus.json
and the addresses in [cluster], which all share.
"""

import secrets
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from quorate.codec.genesis import genesis_hash
from quorate.crypto import public_key
from quorate.runtime import development
from quorate.runtime.config import CONFIG_TEXT, cluster_text
from quorate.runtime.disk import HomeRefused
from quorate.runtime.endpoint import Endpoint
from quorate.runtime.home import (
    CONSENSUS_KEY,
    TRANSPORT_KEY,
    Home,
    begun,
    founded,
    fresh_key,
    names_in,
    publish,
    read_genesis,
    read_secret,
    role_keys,
)
from quorate.runtime.peers.certificates import (
    SEED_BYTES,
    Material,
    material_of,
    pin_of,
    transport_public_key,
)
from quorate.runtime.peers.frames import Hello
from quorate.runtime.peers.transport import Seat
from quorate.types.consensus import VALIDATORS_MAX, ConsensusGenesis, ValidatorSet, ValidatorSpec

PORT_BASE: Final = 7_700
PORT_MAX: Final = (1 << 16) - 1
LOOPBACK: Final = "127.0.0.1"
HOST_LETTERS: Final = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:[]"
)


@dataclass(frozen=True, slots=True)
class Keys:
    """The secret keys of one validator."""

    consensus: bytes
    transport: bytes


# --- reading -------------------------------------------------------------------------------------
def validator_set(consensus: ConsensusGenesis) -> ValidatorSet:
    """Give the set that votes from genesis on."""
    validators = consensus.validators
    keys = tuple(validator.consensus_key for validator in validators)
    return ValidatorSet(consensus.epoch, keys, tuple(it.weight for it in validators))


def seats_of(home: Home) -> tuple[Seat, ...]:
    """Say where each validator is reached, and by which key it is known."""
    assert home.consensus is not None and home.config.cluster is not None
    return tuple(
        Seat(peer.host, peer.port, pin_of(validator.transport_key))
        for peer, validator in zip(
            home.config.cluster.peers, home.consensus.validators, strict=True
        )
    )


def hello_of(home: Home) -> Hello:
    """Give the greeting of a home's validator."""
    return Hello(home.genesis.chain_id, home.consensus_hash)


def material_of_home(home: Home) -> Material:
    """Make what a home's validator shows and demands in handshakes. Raises HomeRefused."""
    return material_of(read_secret(home.path, TRANSPORT_KEY), home.consensus_hash)


# --- making --------------------------------------------------------------------------------------
def init_validators(
    folder: Path,
    count: int,
    genesis_path: Path | None = None,
    hosts: Sequence[str] | None = None,
    port_base: int | None = None,
    config_text: str = CONFIG_TEXT,
) -> list[Home]:
    """Make the homes of all validators of a chain; what fails leaves nothing.

    hosts: one per validator, this machine's loopback if none are given; of validators at one host
    the ports count up from port_base. Raises HomeRefused, StorageFailed.
    """
    peers = endpoints(count, hosts, PORT_BASE if port_base is None else port_base)
    if names_in(folder):
        raise HomeRefused(f"{folder} is not empty; choose a new folder.")
    if genesis_path is None:
        genesis = development.cleared_genesis()
    else:
        genesis, _ = read_genesis(genesis_path)
    keys = [Keys(fresh_key(), secrets.token_bytes(SEED_BYTES)) for _ in range(count)]
    consensus = ConsensusGenesis(
        genesis.chain_id,
        genesis_hash(genesis),
        tuple(spec_of(index, its) for index, its in enumerate(keys)),
    )
    homes = []
    with ExitStack() as stack:
        for index, its in enumerate(keys):
            path = folder / f"validator-{index}"
            stack.enter_context(begun(path))
            named = {CONSENSUS_KEY: its.consensus, TRANSPORT_KEY: its.transport}
            text = cluster_text(config_text, peers[index], peers)
            homes.append(
                founded(path, genesis, text, {**named, **role_keys(genesis_path)}, consensus)
            )
        for home in homes:
            publish(home)
    return homes


def spec_of(index: int, keys: Keys) -> ValidatorSpec:
    """Describe a validator for the consensus genesis, with the weight that all have."""
    return ValidatorSpec(
        f"validator-{index}",
        public_key(keys.consensus),
        transport_public_key(keys.transport),
        1,
    )


def endpoints(
    count: int, hosts: Sequence[str] | None, port_base: int, ports_each: int = 1
) -> list[Endpoint]:
    """Give each validator an address, the first of its ports. Raises HomeRefused."""
    if not 1 <= count <= VALIDATORS_MAX:
        raise HomeRefused(f"A chain has 1 to {VALIDATORS_MAX} validators, not {count}.")
    named = [LOOPBACK] * count if hosts is None else list(hosts)
    if len(named) != count:
        raise HomeRefused(
            f"There are {len(named)} hosts for {count} validators; name one for each, "
            "separated by commas."
        )
    found = []
    used: Counter[str] = Counter()
    for host in named:
        if not host or not HOST_LETTERS.issuperset(host):
            raise HomeRefused(f'"{host}" is no host; name an address or a domain name.')
        port, port_max = port_base + ports_each * used[host], PORT_MAX + 1 - ports_each
        if not 1 <= port <= port_max:
            raise HomeRefused(f"Port {port} is not from 1 to {port_max}; choose another base.")
        used[host] += 1
        found.append(Endpoint(host=host, port=port))
    return found
