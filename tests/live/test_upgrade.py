"""Upgrades with real processes: a rolling one, a missed one, and one past a poison bundle."""

import time
from pathlib import Path

import pytest

from quorate.admission import sign_bundle
from quorate.admission.judge import item_digest
from quorate.codec import commands as c
from quorate.codec.bundle import unsigned_part
from quorate.runtime.client import Client
from quorate.runtime.development import role_key
from quorate.runtime.frames import Done
from quorate.types.blocks import Item
from quorate.types.codes import Reject
from tests.live.nodes import PATIENCE_S
from tests.live.validators import NEW, OLD, Validators, chain_of_many

NOTICE = 40


def signed(client: Client, key: bytes, *commands: c.Command, nonce: int = 0) -> Item:
    """Sign commands under the chain that a client is connected to."""
    chosen = nonce or time.time_ns() // 1_000_000
    return sign_bundle(key, client.chain(), 0, chosen, c.encode_commands(commands))


def traded(validators: Validators, index: int) -> Done:
    """Have a trader fund himself and place an order; it must be executed."""
    with validators.client(index) as client:
        trader = role_key(f"trader {time.time_ns()}")
        done = client.submit([signed(client, trader, c.Faucet(10**9), c.Place(1, 0, 599_000, 1))])
        assert not done.rejects
        return done


def announced(validators: Validators, index: int) -> int:
    """Announce version 2; give the height at which it begins."""
    with validators.client(index) as client:
        client.submit([signed(client, role_key("governance"), c.Faucet(1))])
        height = int(client.ask("network")["height"]) + NOTICE
        done = client.submit([signed(client, role_key("governance"), c.Upgrade(2, height))])
        assert not done.rejects
        return height


@pytest.mark.slow
def test_a_rolling_upgrade_and_one_who_missed_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    with chain_of_many(tmp_path_factory.mktemp("roll") / "chain") as validators:
        for index in range(4):
            validators.start(index, OLD)
        before = traded(validators, 0).height
        validators.alike(before)
        # One by one, all but the last, while the chain goes on under version 1.
        for index in range(3):
            validators.stop(index)
            validators.start(index, NEW)
            validators.until(index, lambda found: len(found["peers"]) == 3)
            traded(validators, index)
        height = announced(validators, 0)
        code, line = validators.ended(3)
        assert code == 3
        assert line == (
            f"quorate: Stopped: block {height} needs version 2 of the rules, which this program "
            "lacks; install one that has it and start again."
        )
        # An old program that is started again says so at once.
        validators.start(3, OLD)
        code, line = validators.ended(3)
        assert code == 3 and line.startswith(f"quorate: Block {height} needs version 2 of the ")
        assert traded(validators, 1).height >= height
        validators.alike(height, (0, 1, 2))
        assert validators.ask(0, "status")["protocol_version"] == 2
        validators.start(3, NEW)
        after = traded(validators, 3).height
        validators.alike(after)
        assert not any(validators.ask(index, "network")["guilty"] for index in range(4))


STRAGGLER_S = 15.0


@pytest.mark.slow
def test_a_poison_bundle_is_passed_by_a_release_that_lists_it(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with chain_of_many(tmp_path_factory.mktemp("poison") / "chain") as validators:
        nonce = time.time_ns() // 1_000_000
        sick = {"versions": [1, 2], "poison": nonce}
        for index in range(4):
            validators.start(index, sick)
        traded(validators, 0)
        with validators.client(1) as client:
            funded = client.submit([signed(client, role_key("poison"), c.Faucet(5))])
            assert not funded.rejects
            supply = client.ask("assets")["assets"][0]["deposited"]
            item = signed(client, role_key("poison"), c.Faucet(10**9), nonce=nonce)
            digest = item_digest(item.kind, unsigned_part(item.data), client.chain())
            client.post([item])
            halts = halted(validators)
        assert len(set(halts.values())) == 1, "all halt at the same block"
        height = halts[min(halts)]
        home = validators.homes[0]
        # A version that no release has named before.
        listing = {
            "versions": [1, 2, 3],
            "skipped": {"1": [], "2": [], "3": [digest.hex()]},
            "activations": [[home.genesis.chain_id, home.genesis_hash.hex(), height, 3]],
            "poison": nonce,
        }
        for index in range(4):
            if index in halts:
                assert refused(validators, index, listing), "the marker stands until one resumes"
                resume(validators, index)
            validators.start(index, listing)
        validators.alike(height)
        assert validators.ask(0, "status")["protocol_version"] == 3
        # Nothing of it was executed, and its nonce is unused: sent again, it has expired again.
        assert validators.ask(2, "assets")["assets"][0]["deposited"] == supply
        with validators.client(2) as client:
            again = client.submit([item])
        assert again.rejects == [Reject.BUNDLE_EXPIRED_SIGN_AGAIN] or not again.height
        validators.alike(traded(validators, 3).height)


def halted(validators: Validators) -> dict[int, int]:
    """Wait until all have halted; give the height that each names.

    The votes that make the block final may reach one validator only after the others are gone: then
    it stands still, and is stopped. It comes to that block when they are back.
    """
    halts: dict[int, int] = {}
    end_s = time.monotonic() + PATIENCE_S
    while validators.processes and time.monotonic() < end_s:
        for index in [at for at, it in validators.processes.items() if it.poll() is not None]:
            code, line = validators.ended(index)
            assert code == 1 and line.startswith("quorate: Halted at height "), line
            halts[index] = int(line.removeprefix("quorate: Halted at height ").split(":")[0])
            end_s = min(end_s, time.monotonic() + STRAGGLER_S)
        time.sleep(0.05)
    assert halts, "nobody halted"
    for index in list(validators.processes):
        validators.stop(index)
    return halts


def refused(validators: Validators, index: int, release: dict[str, object]) -> bool:
    """Say whether a halted home refuses to run."""
    validators.start(index, release)
    code, line = validators.ended(index)
    return code == 1 and "quorate resume" in line


def resume(validators: Validators, index: int) -> None:
    """Let a halted home run again."""
    from tests.live.validators import run

    process = run(NEW, "resume", validators.home(index), "--reason", "the release lists it")
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, output + errors
    assert Path(validators.home(index) / "halt.json").exists() is False
