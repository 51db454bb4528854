"""Whom a genesis of CometBFT names, for checking a proof: its chain and its validators.

They are those of the first height. Where the set has changed since, its members have to be named.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from quorate.codec.nesting import json_within
from quorate.runtime.config import read_bytes
from quorate.runtime.disk import HomeRefused
from quorate.runtime.home import COMETBFT_LEVELS_MAX

KEY_BYTES: Final = {"tendermint/PubKeyEd25519": 32, "tendermint/PubKeySecp256k1": 33}
POWER: Final = re.compile(r"[1-9]\d{0,18}", re.ASCII)
DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
CHAIN_ID_LETTERS_MAX: Final = 50


@dataclass(frozen=True, slots=True)
class Trusted:
    """Whom to trust. genesis_hash: hex; signers: hex of a key, a colon and its power, of each."""

    chain_id: str
    genesis_hash: str
    signers: tuple[str, ...]


def trusted_in(path: Path) -> Trusted:
    """Read whom a genesis.json of CometBFT names. Raises HomeRefused."""
    data = read_bytes(path)
    try:
        tree = json_within(data, COMETBFT_LEVELS_MAX)
    except ValueError as error:
        raise HomeRefused(f"{path} is not JSON.") from error
    chain_id = field(tree, "chain_id")
    genesis_hash = field(field(tree, "app_state"), "app_genesis")
    if not (isinstance(chain_id, str) and chain_id.isascii() and chain_id):
        raise refusal(path, "has no chain_id that is ASCII")
    if len(chain_id) > CHAIN_ID_LETTERS_MAX:
        raise refusal(path, f"has a chain_id of more than {CHAIN_ID_LETTERS_MAX} letters")
    if not (isinstance(genesis_hash, str) and DIGEST.fullmatch(genesis_hash)):
        raise refusal(path, "has no app_state.app_genesis of 64 lower-case hex digits")
    entries = field(tree, "validators")
    if not isinstance(entries, list) or not entries:
        raise refusal(path, "names no validators")
    signers = tuple(signer_in(path, at, entry) for at, entry in enumerate(entries))
    if len({signer.partition(":")[0] for signer in signers}) != len(signers):
        raise refusal(path, "names one key twice")
    return Trusted(chain_id, genesis_hash, signers)


def refusal(path: Path, words: str) -> HomeRefused:
    """Say why a file is refused."""
    return HomeRefused(f"{path} is no genesis.json of CometBFT for this exchange: it {words}.")


def field(tree: Any, name: str) -> Any:
    """Take a field of an object; None where there is none."""
    return tree.get(name) if isinstance(tree, dict) else None


def signer_in(path: Path, at: int, entry: Any) -> str:
    """Read a validator of the genesis: its key in hex, and its power. Raises HomeRefused."""
    public, power = field(entry, "pub_key"), field(entry, "power")
    kind, value = field(public, "type"), field(public, "value")
    if not isinstance(kind, str) or kind not in KEY_BYTES:
        raise refusal(path, f"has a key in validators[{at}] that is neither Ed25519 nor secp256k1")
    try:
        key = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != KEY_BYTES[kind]:
        raise refusal(path, f"has no key of {KEY_BYTES[kind]} bytes in validators[{at}]")
    if not (isinstance(power, str) and POWER.fullmatch(power)):
        raise refusal(path, f"has no power in validators[{at}]")
    return f"{key.hex()}:{power}"
