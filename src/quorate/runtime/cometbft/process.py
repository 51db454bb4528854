"""A validator under CometBFT as processes of this machine: our node, and CometBFT beside it.

CometBFT ends by itself when its application does, and is of no use without it. So a pair runs while
both do; when one is gone, `start` brings back what is missing, after what is left of a CometBFT
whose application died.
"""

import contextlib
import http.client
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from quorate.codec.nesting import json_within
from quorate.runtime.cometbft.binary import Program, comet_program, refuse_without_libraries
from quorate.runtime.cometbft.homes import comet_place, proxy_app
from quorate.runtime.disk import HomeRefused, io_failing, write_whole
from quorate.runtime.endpoint import Endpoint
from quorate.runtime.home import COMETBFT_FOLDER, Home
from quorate.runtime.validator_process import (
    START_S,
    ChildProcess,
    ValidatorFailed,
    ValidatorProcess,
)

LINE_NAME: Final = "quorate-line"
POLL_S: Final = 0.05
ANSWER_S: Final = 2.0
LEFT_S: Final = 10.0  # for a CometBFT whose application died
REFUSED: Final = 2
# CometBFT takes its home and any setting from these, before its files and our arguments.
VARIABLES: Final = ("CMTHOME", "TMHOME", "CMT_", "TM_")
LOUD: Final = ("ERROR: ", "panic: ")


class CometProcess(ChildProcess):
    """The CometBFT of a home. log: takes all that it writes.

    application: what CometBFT is to drive instead of the home's node, `kvstore` for example.
    """

    def __init__(
        self, home: Home, log: Path, application: str = "", log_level: str = "error"
    ) -> None:
        super().__init__(f"CometBFT of validator {home.me}", log)
        self.home = home
        self.application = application
        self.log_level = log_level

    @property
    def rpc(self) -> Endpoint:
        """Where it is asked."""
        assert self.home.config.cometbft is not None
        return self.home.config.cometbft.rpc

    def start(self, group: int, worth: Callable[[], bool] = lambda: True) -> None:
        """Start it in a process group and wait until its RPC answers. Raises ValidatorFailed.

        worth: says whether to go on waiting; it waits for its application for ever.
        """
        assert not self.running
        self.killed = self.told = False
        try:
            program = comet_program()
            refuse_other_line(self.home, program)
            node_id = comet_place(self.home).node_id
            driven = self.application or proxy_app(self.home)
        except HomeRefused as refused:
            raise ValidatorFailed(f"{self.title} did not start: {refused}", REFUSED) from refused
        began = self.log_bytes()
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [
                    program.path, "start", "--home", self.home.path / COMETBFT_FOLDER,
                    "--proxy_app", driven, "--log_level", self.log_level,
                ],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, process_group=group,
                env=environment(),
            )  # fmt: skip
        end_s = time.monotonic() + START_S
        while self.status().get("node_info", {}).get("id") != node_id:
            late = time.monotonic() > end_s or not worth()
            if self.process.poll() is not None or late:
                raise self.not_started(began)
            time.sleep(POLL_S)

    def status(self) -> dict[str, Any]:
        """Ask how it is: node_info, sync_info and more; nothing if nobody answers."""
        asked = http.client.HTTPConnection(self.rpc.host, self.rpc.port, timeout=ANSWER_S)
        try:
            asked.request("GET", "/status")
            found = json_within(asked.getresponse().read())["result"]
            return found if isinstance(found, dict) else {}
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
            return {}
        finally:
            asked.close()

    def last_words(self, began: int = 0) -> str:
        """Give the last error that it wrote after that many bytes, else its last line."""
        with contextlib.suppress(OSError):
            lines = self.log.read_bytes()[began:].decode(errors="replace").splitlines()
            for line in reversed(lines):
                for mark in LOUD:
                    if line.startswith(mark):
                        return line.removeprefix(mark).strip()
        return super().last_words(began)

    def ended(self, patience_s: float) -> None:
        """Wait so long until it has ended by itself; then kill it."""
        if self.process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(patience_s)
            self.kill()


def refuse_other_line(home: Home, program: Program) -> None:
    """Remember which line of CometBFT a home was begun with, and refuse the other.

    Each damages what the other has written. Raises HomeRefused.
    """
    path = home.path / COMETBFT_FOLDER / LINE_NAME
    line = program.version.partition(".")[0]
    try:
        begun = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        with io_failing("write", path):
            write_whole(path, [f"{line}\n".encode("ascii")])
        return
    except (OSError, UnicodeDecodeError) as error:
        raise HomeRefused(f"{path} cannot be read: {error}.") from error
    if begun != line:
        raise HomeRefused(
            f"{home.path} was begun with CometBFT {begun}.x, and {program.path} is "
            f"{program.version}, which would damage its data; name the other by $COMETBFT."
        )


def environment() -> dict[str, str]:
    """Give the variables that a CometBFT starts with: none that would overrule its home."""
    return {name: text for name, text in os.environ.items() if not name.startswith(VARIABLES)}


class PairProcess:
    """Our node and its CometBFT, as one validator: what a ValidatorProcess is to others.

    log: takes what the node writes as errors; CometBFT's is beside it.
    """

    def __init__(self, home: Home, log: Path) -> None:
        self.home = home
        self.node = ValidatorProcess(home, log)
        self.comet = CometProcess(home, log.with_name(f"{log.stem}-cometbft.log"))

    @property
    def running(self) -> bool:
        """Say whether both are there."""
        return self.node.running and self.comet.running

    @property
    def pid(self) -> int:
        """Our node's process id, 0 before the first start."""
        return self.node.pid

    @property
    def said(self) -> dict[str, Any]:
        """Give what our node told when it began to listen."""
        return self.node.said

    @property
    def endpoint(self) -> Endpoint:
        """Where our node listens to clients."""
        return self.node.endpoint

    def start(self, group: int) -> None:
        """Start what is not running in a process group, and wait. Raises ValidatorFailed.

        Our node first: CometBFT's first question is to it.
        """
        assert not self.running
        try:
            refuse_without_libraries()
        except HomeRefused as refused:
            raise ValidatorFailed(str(refused), REFUSED) from refused
        if not self.node.running:
            self.comet.ended(LEFT_S)
            self.node.kill()
            self.node.start(group)
        try:
            self.comet.start(group, lambda: self.node.running)
        except ValidatorFailed as failed:
            if not self.node.running and not self.node.killed and self.node.process is not None:
                code = self.node.process.returncode
                words = f"{self.node.title} ended with code {code}: {self.node.last_words()}"
                raise ValidatorFailed(words, code or 1) from failed
            self.node.kill()
            raise

    def last_words(self, began: int = 0) -> str:
        """Give the last line that our node wrote as an error, after that many bytes."""
        return self.node.last_words(began)

    def kill(self) -> None:
        """kill -9 both, and wait until they are gone."""
        self.comet.kill()
        self.node.kill()

    def kill_node(self) -> None:
        """kill -9 our node alone; CometBFT then ends by itself."""
        self.node.kill()

    def kill_comet(self) -> None:
        """kill -9 CometBFT alone; our node waits for another."""
        self.comet.kill()

    def tell_to_stop(self) -> None:
        """Tell CometBFT to stop, and do not wait: our node serves it to its end."""
        self.comet.tell_to_stop()

    def stop(self) -> None:
        """Tell both to stop, and wait. Raises ValidatorFailed when one does not end well."""
        try:
            if self.node.running:
                self.comet.stop()
            else:
                self.comet.ended(LEFT_S)
        finally:
            self.node.stop()
