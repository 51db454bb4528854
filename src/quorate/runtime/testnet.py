"""A testnet on this machine: all validators of a chain as processes.

    with Testnet.made(folder, 4) as net:        # makes the homes, or takes those that are there
        Client(net.endpoint(0)).ask("network")
        net.kill(2)
        net.start(2)

Under the engine cometbft a validator is a pair of processes, our node and CometBFT. The processes
are of a group that guardian.py leads: when this process is gone, however it went, the guardian ends
them all. What a validator writes as errors goes to folder/validator-N.log.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from quorate.runtime import guardian
from quorate.runtime.cometbft.process import PairProcess
from quorate.runtime.config import COMETBFT, CONFIG_TEXT
from quorate.runtime.endpoint import Endpoint
from quorate.runtime.home import Home
from quorate.runtime.testnet_homes import local_homes
from quorate.runtime.validator_process import ValidatorFailed, ValidatorProcess


def process_of(home: Home, log: Path) -> ValidatorProcess | PairProcess:
    """Make the process, or the pair, that runs a home; it is not started."""
    return (PairProcess if home.engine == COMETBFT else ValidatorProcess)(home, log)


class Testnet:
    """The processes. Within `with` they can be started; after it none is left."""

    __test__ = False  # no test, whatever pytest thinks of the name

    def __init__(self, folder: Path, homes: list[Home]) -> None:
        self.folder = folder
        self.homes = homes
        self.validators = [
            process_of(home, folder / f"{home.path.name}.log") for home in homes
        ]
        self.guardian: subprocess.Popen[bytes] | None = None

    @classmethod
    @contextmanager
    def made(
        cls,
        folder: Path,
        count: int | None = None,
        config_text: str = CONFIG_TEXT,
        engine: str | None = None,
    ) -> "Iterator[Testnet]":
        """Have all validators of a folder run. Raises as `local_homes`, and ValidatorFailed."""
        homes, _ = local_homes(folder, count, config_text=config_text, engine=engine)
        with cls(folder, homes) as net:
            net.start_all()
            yield net

    def __enter__(self) -> "Testnet":
        self.guardian = subprocess.Popen(
            [sys.executable, "-I", guardian.__file__],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, process_group=0,
        )  # fmt: skip
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for validator in self.validators:
            validator.kill()
        assert self.guardian is not None and self.guardian.stdin is not None
        self.abort()  # the guardian, and what another thread may be starting
        self.guardian.wait()
        self.guardian.stdin.close()

    def endpoint(self, index: int) -> Endpoint:
        """Say where a validator that was started listens to clients."""
        return self.validators[index].endpoint

    def start(self, index: int) -> None:
        """Start a validator and wait until it listens. Raises ValidatorFailed."""
        assert self.guardian is not None
        self.validators[index].start(self.guardian.pid)

    def start_all(self) -> None:
        """Start all validators at once and wait. Raises ValidatorFailed, when none is left."""
        indexes = range(len(self.validators))
        with ThreadPoolExecutor(len(self.validators)) as pool:
            starts = [pool.submit(self.start, index) for index in indexes]
            failures = [start.exception() for start in starts]
        for failure in failures:
            if failure is not None:
                for index in indexes:
                    self.kill(index)
                raise failure

    def kill(self, index: int) -> None:
        """kill -9 a validator."""
        self.validators[index].kill()

    def abort(self) -> None:
        """kill -9 the whole group, and do not wait."""
        assert self.guardian is not None
        os.killpg(self.guardian.pid, signal.SIGKILL)

    def stop(self) -> None:
        """Tell all to stop, and wait. Raises the first ValidatorFailed, when all are gone."""
        for validator in self.validators:
            validator.tell_to_stop()
        failures: list[ValidatorFailed] = []
        for validator in self.validators:
            try:
                validator.stop()
            except ValidatorFailed as failed:
                failures.append(failed)
        if failures:
            raise failures[0]
