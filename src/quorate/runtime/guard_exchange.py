"""What a signer's guard knows, as JSON, to move a key to another machine (after EIP-3076).

Integers are texts, bytes are 0x-hex. Taking in is a union: of two that contradict at one place
nothing is signed there any more, and floors only rise, so that what the other guard had forgotten
is refused here too.
"""

import json
from pathlib import Path
from typing import Any, Final

from quorate.codec.nesting import nested_deeper
from quorate.ordering.guard import Ask, Guard, Signing
from quorate.runtime.config import read_bytes
from quorate.runtime.disk import HomeRefused, io_failing, write_whole
from quorate.runtime.guard_file import GuardFile, SignerIdentity
from quorate.types.consensus import VOTE_SIGNATURE_BYTES

FORMAT: Final = "1"
NUMBER_MAX: Final = 2**63 - 1
LEVELS_MAX: Final = 8  # an export has three


def metadata(identity: SignerIdentity) -> dict[str, str]:
    """Say which chain and key signatures are of."""
    return {
        "interchange_format_version": FORMAT,
        "chain_id": str(identity.chain_id),
        "app_genesis": "0x" + identity.app_genesis.hex(),
        "consensus_hash": "0x" + identity.consensus_hash.hex(),
        "pubkey": "0x" + identity.key.hex(),
    }


def exported(file: GuardFile, path: Path) -> None:
    """Write the guard. Raises HomeRefused, StorageFailed."""
    if path.exists():
        raise HomeRefused(f"{path} is there already; name a new file.")
    guard = file.guard
    signed = [
        {
            "kind": Signing(ask.kind).name.lower(),
            "epoch": str(ask.place[0]),
            "number": str(ask.place[1]),
            "what": "0x" + ask.what.hex(),
            "signature": "0x" + signature.hex(),
        }
        for ask, signature in guard.everything()
    ]
    tree = {
        "metadata": metadata(file.identity),
        "floor": {
            "epoch": str(guard.floor[0]),
            "view": str(guard.floor[1]),
            "height": str(guard.height_floor),
        },
        "signed": signed,
    }
    with io_failing("write", path):
        write_whole(path, [json.dumps(tree, indent=1).encode("ascii") + b"\n"])


def imported(file: GuardFile, path: Path) -> int:
    """Take another guard in and write the file anew; give the number of signatures.

    Raises HomeRefused, StorageFailed.
    """
    try:
        data = read_bytes(path)
        if nested_deeper(data, LEVELS_MAX):
            raise HomeRefused(f"{path} is no export of a guard.")
        tree = json.loads(data)
        if tree["metadata"] != metadata(file.identity):
            raise HomeRefused(f"{path} is of another chain, key or format than {file.path}.")
        floor = tree["floor"]
        epoch, view, height = (number(floor[name]) for name in ("epoch", "view", "height"))
        signed = [entry_read(entry) for entry in tree["signed"]]
    except (ValueError, KeyError, TypeError) as error:
        raise HomeRefused(f"{path} is no export of a guard.") from error
    taken_in(file.guard, signed)
    file.guard.raise_floor((epoch, view), height)
    file.rewrite()
    return len(signed)


def taken_in(guard: Guard, signed: list[tuple[Ask, bytes]]) -> None:
    """Unite a guard with what another has signed."""
    for ask, signature in signed:
        if guard.refusal(ask) is None:
            guard.note(ask, signature)
        elif ask.kind == Signing.CHECKPOINT:
            guard.raise_floor(guard.floor, ask.place[1])
        else:
            guard.raise_floor(ask.place, guard.height_floor)


def number(text: Any) -> int:
    """Read an integer written as a text. Raises ValueError."""
    if not isinstance(text, str) or not text.isascii() or not text.isdigit():
        raise ValueError("a number must be digits")
    value = int(text)
    if value > NUMBER_MAX or str(value) != text:
        raise ValueError("a number out of range")
    return value


def octets(text: Any, size: int) -> bytes:
    """Read bytes written as 0x-hex. Raises ValueError."""
    if not isinstance(text, str) or not text.startswith("0x") or len(text) != 2 + 2 * size:
        raise ValueError("bytes of another length")
    return bytes.fromhex(text[2:])


def entry_read(entry: Any) -> tuple[Ask, bytes]:
    """Read a signature. Raises ValueError, KeyError, TypeError."""
    kind = Signing[entry["kind"].upper()] if isinstance(entry["kind"], str) else Signing(0)
    place = (number(entry["epoch"]), number(entry["number"]))
    signature = octets(entry["signature"], VOTE_SIGNATURE_BYTES)
    return Ask(int(kind), place, octets(entry["what"], 32)), signature
