"""A validator whose key a remote signer holds, with real processes; the signer is killed."""

import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.live.nodes import PATIENCE_S
from tests.live.test_rejoin import command, own_votes, records
from tests.live.test_upgrade import traded
from tests.live.validators import NEW, Validators, chain_of_many, run


def moved_key(validators: Validators, index: int, listen: Path) -> Path:
    """Take a validator's key out of its home, and tell the home who has it."""
    home = validators.home(index)
    key = home.parent / f"consensus-{index}.key"
    (home / "keys" / "consensus.key").rename(key)
    config = home / "config.toml"
    config.write_text(config.read_text().replace('signer = ""', f'signer = "unix:{listen}"'))
    return key


def started(key: Path, guard: Path, listen: Path) -> "subprocess.Popen[str]":
    """Start a signer, and wait until it listens."""
    process = run(NEW, "signer", key, "--guard", guard, "--listen", f"unix:{listen}")
    end_s = time.monotonic() + PATIENCE_S
    while not listen.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end_s
        time.sleep(0.02)
    return process


@pytest.mark.slow
def test_a_validator_votes_by_a_remote_signer(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("signer")
    listen, guard = folder / "s.sock", folder / "guard"
    with chain_of_many(folder / "chain") as validators:
        key = moved_key(validators, 3, listen)
        home = validators.home(3)
        code, _, errors = command("run", home)
        assert (code, errors.count("\n")) == (2, 1) and "No signer answers" in errors
        code, _, errors = command("signer", key, "--guard", guard, "--listen", f"unix:{listen}")
        assert code == 2 and "--init makes one" in errors and not guard.exists()
        making = ("signer", key, "--guard", guard, "--init")
        code, _, errors = command(*making)
        assert code == 2 and "--consensus FILE" in errors
        code, _, errors = command(*making, "--consensus", home / "consensus.json")
        assert (code, errors) == (0, "")
        signer = started(key, guard, listen)
        try:
            for index in range(4):
                validators.start(index)
            validators.alike(traded(validators, 3).height)
            # Three are a quorum only with the signer's votes and checkpoints.
            validators.stop(0)
            validators.alike(traded(validators, 1).height, (1, 2, 3))
            validators.start(0)
            validators.until(0, lambda found: len(found["peers"]) == 3)
            signer.send_signal(signal.SIGKILL)
            signer.communicate(timeout=PATIENCE_S)
            size = guard.stat().st_size
            for _ in range(3):
                validators.alike(traded(validators, 3).height)
            assert guard.stat().st_size == size
            counts = validators.ask(3, "network")["counts"]
            assert counts["signer_refusals"] > 0 and counts["signer_gone"] > 0
            (folder / "s.sock").unlink()
            signer = started(key, guard, listen)
            validators.stop(0)
            validators.alike(traded(validators, 3).height, (1, 2, 3))
            validators.start(0)
            validators.alike(traded(validators, 0).height)
            assert [validators.ask(index, "network")["guilty"] for index in range(4)] == [[]] * 4
            for index in range(4):
                validators.stop(index)
            signer.send_signal(signal.SIGTERM)
            output, errors = signer.communicate(timeout=PATIENCE_S)
            assert signer.returncode == 0, errors
            assert output.splitlines()[-1].startswith("Stopped. ") and "signed" in output
            assert len(own_votes(records(validators, 3))) > 10
        finally:
            signer.kill()
            signer.wait()
