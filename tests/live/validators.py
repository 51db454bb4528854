"""Chains of real validators for tests: make one, run each by any release, ask, wait."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from quorate.runtime.client import Client
from quorate.runtime.endpoint import home_endpoint
from quorate.runtime.errors import NodeGone, QuestionFailed
from quorate.runtime.home import Home
from quorate.runtime.validators import init_validators
from tests.live.nodes import PATIENCE_S, ROOT, config_text, environment

NEW = {"versions": [1, 2]}
OLD = {"versions": [1]}


PORTS_FIRST = 21_000
PORTS_EACH = 1_000


def own_ports() -> range:
    """Give the ports of this test process, where no other one looks for any.

    A port that is free need not be nobody's: a validator that is stopped wants its own back.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 10
    first = PORTS_FIRST + worker * PORTS_EACH
    return range(first, first + PORTS_EACH)


def free_port_base(count: int) -> int:
    """Find so many free ports in a row."""
    for base in own_ports()[::16]:
        taken = False
        for port in range(base, base + count):
            with socket.socket() as probe:
                taken = taken or probe.connect_ex(("127.0.0.1", port)) == 0
        if not taken:
            return base
    raise AssertionError("no free ports")


def run(release: dict[str, Any], *arguments: object) -> "subprocess.Popen[str]":
    """Start the command line of a release."""
    command = [sys.executable, "-m", "tests.live.release", json.dumps(release)]
    return subprocess.Popen(
        [*command, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, cwd=ROOT, env=environment(),
    )  # fmt: skip


class Validators:
    """The validators of one chain, and their processes."""

    def __init__(self, folder: Path, count: int = 4, **config: object) -> None:
        text = config_text(segment_mib=4, **config)
        base = free_port_base(count)
        self.homes: list[Home] = init_validators(folder, count, port_base=base, config_text=text)
        self.processes: dict[int, subprocess.Popen[str]] = {}

    def home(self, index: int) -> Path:
        """Give a validator's home."""
        return self.homes[index].path

    def start(self, index: int, release: dict[str, Any] = NEW) -> None:
        """Run a validator; it may not listen yet."""
        self.processes[index] = run(release, "run", self.home(index))

    def stop(self, index: int) -> None:
        """Stop a validator; it must end well."""
        process = self.processes.pop(index)
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, output + errors

    def ended(self, index: int) -> tuple[int, str]:
        """Wait until a validator ends by itself; give its exit code and its last line."""
        process = self.processes.pop(index)
        _, errors = process.communicate(timeout=PATIENCE_S)
        return process.returncode, errors.strip().splitlines()[-1]

    def client(self, index: int) -> Client:
        """Connect as soon as a validator listens."""
        end_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                return Client(home_endpoint(self.home(index)), PATIENCE_S)
            except NodeGone:
                process = self.processes[index]
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < end_s, "the validator does not listen"
                time.sleep(0.05)

    def ask(self, index: int, what: str, **question: Any) -> dict[str, Any]:
        """Ask a validator."""
        with self.client(index) as client:
            return client.ask(what, **question)

    def until(self, index: int, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until what a validator says of the network is as wanted."""
        end_s = time.monotonic() + PATIENCE_S
        while True:
            found = self.ask(index, "network")
            if holds(found):
                return found
            assert time.monotonic() < end_s, found
            time.sleep(0.1)

    def root(self, index: int, height: int) -> str:
        """Wait until a validator has executed a height; give its root."""
        self.until(index, lambda found: found["height"] >= height)
        try:
            return str(self.ask(index, "root", height=height)["state_root"])
        except QuestionFailed as failed:
            raise AssertionError(f"validator {index}, height {height}: {failed}") from failed

    def alike(self, height: int, indexes: tuple[int, ...] = (0, 1, 2, 3)) -> None:
        """Demand one root of a height, and a quorum's certificate at or above it."""
        roots = {self.root(index, height) for index in indexes}
        assert len(roots) == 1, roots
        self.until(indexes[0], lambda found: found["height_certified"] >= height)


@contextmanager
def chain_of_many(folder: Path, count: int = 4, **config: object) -> Iterator[Validators]:
    """Make a chain; none of its processes outlives the test."""
    made = Validators(folder, count, **config)
    try:
        yield made
    finally:
        for process in made.processes.values():
            process.kill()
            process.communicate()
