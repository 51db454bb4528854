"""Whom a genesis of CometBFT names."""

import base64
import copy
import json
from pathlib import Path
from typing import Any

import pytest

from quorate.runtime.cometbft.trusted import trusted_in
from quorate.runtime.disk import HomeRefused

KEYS = [bytes([number]) * 32 for number in (1, 2)]
TREE: dict[str, Any] = {
    "chain_id": "quorate-7-0101010101010101",
    "validators": [
        {
            "pub_key": {
                "type": "tendermint/PubKeyEd25519", "value": base64.b64encode(key).decode(),
            },
            "power": str(power),
        }
        for key, power in zip(KEYS, (10, 1), strict=True)
    ],
    "app_state": {"app_genesis": "01" * 32, "chain_id": "7"},
}  # fmt: skip


def test_a_genesis_names_chain_and_validators(tmp_path: Path) -> None:
    path = tmp_path / "genesis.json"
    path.write_text(json.dumps(TREE))
    found = trusted_in(path)
    assert (found.chain_id, found.genesis_hash) == ("quorate-7-0101010101010101", "01" * 32)
    assert found.signers == (f"{KEYS[0].hex()}:10", f"{KEYS[1].hex()}:1")


@pytest.mark.parametrize(
    ("path", "to", "words"),
    [
        (("chain_id",), None, "chain_id that is ASCII"),
        (("chain_id",), "", "chain_id that is ASCII"),
        (("chain_id",), "\u00e9", "chain_id that is ASCII"),
        (("chain_id",), "x" * 51, "more than 50 letters"),
        (("app_state",), {}, "app_genesis"),
        (("app_state",), [], "app_genesis"),
        (("app_state", "app_genesis"), "AB" * 32, "app_genesis"),
        (("validators",), None, "names no validators"),
        (("validators",), [], "names no validators"),
        (("validators", 0), 7, "validators[0]"),
        (("validators", 1, "pub_key", "type"), "tendermint/PubKeyBls12_381", "validators[1]"),
        (("validators", 1, "pub_key", "type"), ["x"], "validators[1]"),
        (("validators", 1, "pub_key", "value"), "AAAA", "no key of 32 bytes in validators[1]"),
        (("validators", 1, "pub_key", "value"), "\u00e9", "no key of 32 bytes in validators[1]"),
        (("validators", 1, "power"), 1, "no power in validators[1]"),
        (("validators", 1, "power"), "0", "no power in validators[1]"),
        (("validators", 1, "power"), "-1", "no power in validators[1]"),
        (("validators", 1), TREE["validators"][0], "names one key twice"),
    ],
)
def test_what_a_genesis_lacks_is_named(
    tmp_path: Path, path: tuple[str | int, ...], to: Any, words: str
) -> None:
    tree = inner = copy.deepcopy(TREE)
    for key in path[:-1]:
        inner = inner[key]  # type: ignore[index]
    inner[path[-1]] = to  # type: ignore[index]
    file = tmp_path / "genesis.json"
    file.write_text(json.dumps(tree))
    with pytest.raises(HomeRefused) as caught:
        trusted_in(file)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{file} is no genesis.json of CometBFT")


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"[" * 100_000, b"[]", b"7", b'"x"'])
def test_what_is_no_genesis_is_refused(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "genesis.json"
    file.write_bytes(data)
    with pytest.raises(HomeRefused):
        trusted_in(file)
    with pytest.raises(HomeRefused, match="cannot be read"):
        trusted_in(tmp_path / "none")
