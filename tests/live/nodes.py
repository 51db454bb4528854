"""Real nodes for tests: start one, wait until it listens, stop or kill it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from quorate.runtime.client import Client
from quorate.runtime.endpoint import ENDPOINT_NAME, home_endpoint
from quorate.runtime.errors import NodeGone
from quorate.runtime.home import CONFIG_TEXT

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE_S = 60.0


def environment() -> dict[str, str]:
    """Let a child process find the package and the tests."""
    paths = [str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}


class Nursery:
    """Starts one node at a time, by forking."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.live.nursery"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment(),
        )  # fmt: skip
        self.pid = 0

    def start(self, home: Path) -> None:
        """Start the node of a home; it may not listen yet."""
        (home / ENDPOINT_NAME).unlink(missing_ok=True)
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{home}\n")
        self.process.stdin.flush()
        self.pid = int(self.process.stdout.readline())

    def end(self, number: int) -> None:
        """Send the node a signal and wait until it is gone."""
        assert self.process.stdout is not None
        os.kill(self.pid, number)
        assert self.process.stdout.readline() == "ended\n"

    def __enter__(self) -> "Nursery":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.kill()
        self.process.wait()


def connected(home: Path, alive: "subprocess.Popen[str] | None" = None) -> Client:
    """Connect as soon as the node of a home listens."""
    end_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            return Client(home_endpoint(home), PATIENCE_S)
        except NodeGone:
            assert time.monotonic() < end_s, "the node does not listen"
            assert alive is None or alive.poll() is None, "the node has ended"
            time.sleep(0.005)


def quorate(*arguments: object) -> "subprocess.Popen[str]":
    """Start the command line."""
    return subprocess.Popen(
        [sys.executable, "-m", "quorate.cli.main", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment(),
    )  # fmt: skip


@contextmanager
def running(home: Path) -> Iterator["subprocess.Popen[str]"]:
    """Run the node of a home; it must end well when told to stop."""
    node = quorate("run", home)
    try:
        connected(home, node).close()
        yield node
        if node.poll() is None:
            node.send_signal(signal.SIGTERM)
        output, errors = node.communicate(timeout=PATIENCE_S)
        assert node.returncode == 0, output + errors
    finally:
        node.kill()
        node.wait()


def config_text(**values: object) -> str:
    """Write a configuration with other values than the default."""
    lines = CONFIG_TEXT.splitlines()
    for key, value in values.items():
        shown = f'"{value}"' if isinstance(value, str) else value
        (at,) = [at for at, line in enumerate(lines) if line.startswith(f"{key} =")]
        lines[at] = f"{key} = {shown}"
    return "\n".join(lines) + "\n"
