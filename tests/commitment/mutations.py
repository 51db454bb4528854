"""Change every byte of a proof file and see that the verifier refuses each of the files.

A program of its own, standard library alone; it runs where quorate cannot be imported. Arguments:
the verifier, the proof, the genesis hash, `resealed` or `plain`, then the signers. `resealed` also
makes the file digest right again, as someone who wants to deceive would. Prints how many changed
files were refused; exit code 1 when one was not.
"""

import hashlib
import importlib.util
import json
import sys
from collections.abc import Iterator
from types import ModuleType

OTHERS = (0x01, 0x02, 0x80)
HEX = b"0123456789abcdef"


def loaded(path: str) -> ModuleType:
    """Import the verifier from its file."""
    spec = importlib.util.spec_from_file_location("verifier", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def resealed(data: bytes) -> bytes | None:
    """Give the file its right digest; None where it cannot be read."""
    try:
        value = json.loads(data)
        del value["file_digest"]
        body = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
        value["file_digest"] = hashlib.sha256(body).hexdigest()
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    except (ValueError, KeyError, TypeError):
        return None


def changed_bytes(data: bytes, also_resealed: bool) -> Iterator[tuple[str, bytes]]:
    """Give every changed file with a word about it."""
    for place, byte in enumerate(data):
        near = [byte ^ other for other in OTHERS]
        if byte in HEX:
            near.append(HEX[(HEX.index(byte) + 1) % 16])
        for other in near:
            changed = data[:place] + bytes([other]) + data[place + 1 :]
            yield f"byte {place} {byte} -> {other}", changed
        again = resealed(changed) if also_resealed else None
        if again is not None and again != data:
            yield f"byte {place} {byte} -> {other}, resealed", again
        yield f"without byte {place}", data[:place] + data[place + 1 :]
        yield f"space before byte {place}", data[:place] + b" " + data[place:]
    yield "line end", data + b"\n"
    yield "empty", b""


def main(arguments: list[str]) -> int:
    """Run the program."""
    path, proof, genesis, mode, *keys = arguments
    assert importlib.util.find_spec("quorate") is None
    assert importlib.util.find_spec("numpy") is None
    verifier = loaded(path)
    with open(proof, "rb") as file:
        data = file.read()
    weights = dict.fromkeys([bytes.fromhex(key) for key in keys], 1)
    verifier.verified(data, bytes.fromhex(genesis), weights)
    refused = 0
    for word, changed in changed_bytes(data, mode == "resealed"):
        try:
            verifier.verified(changed, bytes.fromhex(genesis), weights)
        except verifier.Refused:
            refused += 1
        else:
            print(f"accepted: {word}")
            return 1
    print(refused)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
