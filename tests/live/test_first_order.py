"""The program of docs/first-order.md, run as the document says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from quorate.runtime.home import init_home
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
    assert "OK, order 1, filled 0, rests 20" in done.stdout
    assert "SIZE_MUST_BE_IN_RANGE" in done.stdout
    command = done.stdout.splitlines()[-1].split()
    out = home.parent / "proof.json"
    proved = quorate(*command[1:-1], out)
    assert proved.wait() == 0
    assert '"quorate-proof-1"' in out.read_text(encoding="ascii")
