"""One validator as a process of this machine: `quorate run HOME`, started, killed, stopped."""

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from quorate.runtime.endpoint import Endpoint, endpoint_read
from quorate.runtime.home import Home

START_S: Final = 120.0
STOP_S: Final = 60.0
LINE_BYTES: Final = 4096


class ValidatorFailed(Exception):
    """A validator's process did not start, or did not end well. code: its exit code, or 1."""

    def __init__(self, sentence: str, code: int = 1) -> None:
        super().__init__(sentence)
        self.code = code


class ChildProcess:
    """A process of ours. title: how a sentence names it.

    log: takes what it writes as errors. killed: by us, which is no fault of its own.
    """

    def __init__(self, title: str, log: Path) -> None:
        self.title = title
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None
        self.killed = self.told = False

    @property
    def running(self) -> bool:
        """Say whether the process is there."""
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id, 0 before the first start."""
        return self.process.pid if self.process is not None else 0

    def not_started(self, began: int) -> ValidatorFailed:
        """Kill it, and say why it does not listen. began: bytes of the log before its start."""
        assert self.process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(1.0)
        code, words = self.process.returncode, self.last_words(began)
        self.kill()
        if code is None:
            words = f"it did not listen within {START_S:.0f} s; {words}"
        elif code < 0:
            words = f"signal {-code} ended it; {words}"
        return ValidatorFailed(f"{self.title} did not start: {words}", code or 1)

    def log_bytes(self) -> int:
        """Give how much it has written as errors."""
        return self.log.stat().st_size if self.log.exists() else 0

    def last_words(self, began: int = 0) -> str:
        """Give the last line that it wrote as an error, after that many bytes."""
        with contextlib.suppress(OSError):
            lines = self.log.read_bytes()[began:].decode(errors="replace").splitlines()
            for line in reversed(lines):
                if line.strip():
                    return line.strip().removeprefix("quorate: ")
        return "it said nothing."

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        if self.process is None:
            return
        if self.running:
            self.killed = True
            self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def tell_to_stop(self) -> None:
        """Send SIGTERM once, and do not wait: a second one could meet it without its handler."""
        if self.process is not None and self.running and not self.told:
            self.told = True
            self.process.terminate()

    def stop(self) -> None:
        """Tell it to stop, and wait. Raises ValidatorFailed when it does not end well."""
        process = self.process
        if process is None or self.killed or (process.poll() or 0) < 0:
            return  # whoever sent it a signal knows, and the screen says that it has ended
        self.tell_to_stop()
        try:
            code = process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ValidatorFailed(f"{self.title} did not stop when it was told to.") from None
        if code:
            raise ValidatorFailed(
                f"{self.title} ended with code {code}: {self.last_words()}", code
            )


class ValidatorProcess(ChildProcess):
    """A validator's process. said: what `run --json` told when it began to listen."""

    def __init__(self, home: Home, log: Path) -> None:
        super().__init__(f"Validator {home.me}", log)
        self.home = home
        self.said: dict[str, Any] = {}

    @property
    def endpoint(self) -> Endpoint:
        """Where it listens to clients."""
        found = endpoint_read(self.said["endpoint"])
        assert found is not None
        return found

    @property
    def command(self) -> list[str]:
        """Give the command line that runs it."""
        run = [sys.executable, "-u", "-m", "quorate.cli.main", "run"]
        return [*run, str(self.home.path), "--json"]

    def start(self, group: int) -> None:
        """Start it in a process group and wait until it listens. Raises ValidatorFailed."""
        assert not self.running
        self.killed = self.told = False
        began = self.log_bytes()
        with self.log.open("ab") as errors:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                process_group=group,
            )  # fmt: skip
        line = self.first_line()
        if not line.endswith(b"\n"):
            raise self.not_started(began)
        self.said = dict(json.loads(line))

    def first_line(self) -> bytes:
        """Wait for the first line that it prints; what comes without its end is no line."""
        assert self.process is not None and self.process.stdout is not None
        end_s, found = time.monotonic() + START_S, b""
        fd = self.process.stdout.fileno()
        while not found.endswith(b"\n"):
            left_s = max(0.0, end_s - time.monotonic())
            if not select.select([fd], [], [], left_s)[0]:
                break
            part = os.read(fd, LINE_BYTES)
            if not part:
                break
            found += part
        return found
