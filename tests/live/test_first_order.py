"""The program of docs/first-order.md, run as the document says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from quorate.runtime.home import init_home
from quorate.runtime.testnet import Testnet
from tests.live.nodes import config_text, environment, quorate, running

ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Make a development home."""
    init_home(tmp_path / "venue", config_text=config_text())
    return tmp_path / "venue"


def program() -> str:
    """The one Python block of the document."""
    text = (ROOT / "docs" / "first-order.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return str(block)


def test_the_program_of_the_document_trades_and_its_account_is_proved(home: Path) -> None:
    path = home.parent / "first.py"
    path.write_text(program(), encoding="utf-8")
    with running(home):
        done = subprocess.run(
            [sys.executable, str(path), str(home)],
            capture_output=True, text=True, timeout=120, env=environment(),
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "OK, order 1, rests 20" in done.stdout
    assert "SIZE_MUST_BE_IN_RANGE" in done.stdout
    command = done.stdout.splitlines()[-1].split()
    out = home.parent / "proof.json"
    proved = quorate(*command[1:-1], out)
    assert proved.wait() == 0
    assert '"quorate-proof-1"' in out.read_text(encoding="ascii")


@pytest.mark.slow
def test_the_same_program_trades_on_four_validators(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    # A name that is shorter than the test's: a socket in the home has a path of limited length.
    folder = tmp_path_factory.mktemp("four")
    path, out = folder / "first.py", folder / "quorum.json"
    path.write_text(program(), encoding="utf-8")
    net = folder / "net"
    with Testnet.made(net, 4, config_text(segment_mib=1)) as running_net:
        done = subprocess.run(
            [sys.executable, str(path), str(net / "validator-2")],
            capture_output=True, text=True, timeout=120, env=environment(),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "OK, order 1, rests 20" in done.stdout
        running_net.stop()
    account = done.stdout.split("--account ")[1].split()[0]
    proved = quorate("prove", net / "validator-0", "--account", account, "--out", out)
    assert proved.wait() == 0
    verified = quorate("verify", out, "--consensus", net / "validator-1" / "consensus.json")
    output, errors = verified.communicate(timeout=60)
    assert verified.returncode == 0 and "signed by 3 of 4 validators" in output, errors
