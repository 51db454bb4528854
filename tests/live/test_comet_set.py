"""The validator set of a chain under real CometBFT, as governance writes it."""

import base64
import json
from pathlib import Path

import pytest

from quorate.codec.commands import SetValidator, validator_key
from quorate.runtime.client import Client
from quorate.runtime.cometbft.binary import Program
from quorate.runtime.development import role_key
from quorate.runtime.frames import Done
from quorate.runtime.home import Home
from quorate.types.codes import KeyType
from tests.live.comet import CometChain, comet_chain, signed
from tests.live.comet_join import joined

pytestmark = pytest.mark.slow
NOBODY = bytes(range(32))


def key_of(home: Home) -> bytes:
    """Read the public key with which a home's CometBFT votes."""
    tree = json.loads((home.path / "cometbft/config/priv_validator_key.json").read_text())
    return base64.b64decode(tree["pub_key"]["value"])


def said(client: Client, *changes: tuple[bytes, int]) -> Done:
    """Have governance give keys their power, all in one bundle."""
    commands = [
        SetValidator(KeyType.ED25519, validator_key(KeyType.ED25519, key), power)
        for key, power in changes
    ]
    done = client.submit([signed(client, role_key("governance"), *commands)])
    assert not done.rejects
    return done


def change(chain: CometChain, *changes: tuple[bytes, int]) -> int:
    """Say it; give the height at which it was executed."""
    with chain.client(0) as client:
        return said(client, *changes).height


def follows(chain: CometChain, height: int, wanted: dict[bytes, int]) -> None:
    """Demand that CometBFT's set is that from two heights later on, and was not before."""
    chain.reached(height + 3)
    expected = {key.hex(): power for key, power in wanted.items()}
    assert chain.members(height + 2) == expected
    assert chain.members() == expected


def funded(chain: CometChain) -> None:
    """Give governance an account."""
    from quorate.codec.commands import Faucet

    with chain.client(0) as client:
        assert not client.submit([signed(client, role_key("governance"), Faucet(1))]).rejects


def test_a_validator_comes_weighs_more_and_another_goes(
    tmp_path_factory: pytest.TempPathFactory, cometbft: Program
) -> None:
    folder: Path = tmp_path_factory.mktemp("set")
    with comet_chain(folder / "c") as chain:
        funded(chain)
        newcomer = joined(chain, folder / "validator-4", cometbft)
        newcomer.start()
        chain.goes_on(1)
        a, b, c, d = [key_of(pair.home) for pair in chain.pairs[:4]]
        e = key_of(newcomer.home)
        before = {a: 1, b: 1, c: 1, d: 1}

        height = change(chain, (e, 1))
        follows(chain, height, {**before, e: 1})
        assert chain.members(height + 1) == {key.hex(): 1 for key in before}
        signers_of(chain, e)

        # Both processes of one, and our node of another, die around the change.
        height = change(chain, (e, 2))
        chain.pairs[1].kill()
        newcomer.kill_node()
        chain.pairs[1].start()
        newcomer.start()
        follows(chain, height, {**before, e: 2})

        height = change(chain, (d, 0))
        chain.pairs[2].kill()
        chain.pairs[2].start()
        after = {a: 1, b: 1, c: 1, e: 2}
        follows(chain, height, after)

        # A key that nobody has goes, and all go: neither changes anything, or stops anything.
        follows(chain, change(chain, (NOBODY, 0)), after)
        follows(chain, change(chain, (a, 0), (b, 0), (c, 0), (e, 0)), after)

        # Twice in two blocks: added and, before that has come about, removed again.
        change(chain, (NOBODY, 1))
        follows(chain, change(chain, (NOBODY, 0)), after)
        for pair in chain.pairs:
            pair.kill()
        chain.start_all()
        chain.goes_on(2)
        follows(chain, change(chain, (d, 1)), {**after, d: 1})
        chain.sound()


def signers_of(chain: CometChain, key: bytes) -> None:
    """Wait until a validator's votes stand in a commit."""
    import hashlib

    address = hashlib.sha256(key).digest()[:20].hex().upper()

    def signs(index: int) -> bool:
        commit = chain.rpc(index, "commit")["signed_header"]["commit"]
        return address in [it["validator_address"] for it in commit["signatures"]]

    chain.until(0, signs)
