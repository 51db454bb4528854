"""Chains under real CometBFT for tests: pairs of processes on this machine, each killed by itself.

CometBFT's timeouts are shortened, so that a height takes a few hundred milliseconds. Our nodes are
forked by comet_nursery.py, which starts a dozen in the time of one.
"""

import base64
import http.client
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from quorate.admission import sign_bundle
from quorate.codec.commands import Command, encode_commands
from quorate.codec.items import encode_items
from quorate.replica.records import checkpoint_read
from quorate.runtime.client import Client
from quorate.runtime.cometbft.homes import init_comet
from quorate.runtime.cometbft.process import CometProcess
from quorate.runtime.endpoint import ENDPOINT_NAME, home_endpoint
from quorate.runtime.errors import NodeGone
from quorate.runtime.files import follow_segments
from quorate.runtime.halt import read_halt
from quorate.runtime.home import Home
from quorate.runtime.replay_chain import Compared, replayed_chain
from quorate.storage.log import Kind
from quorate.types.blocks import Item
from tests.live.nodes import PATIENCE_S, ROOT, config_text, environment
from tests.live.validators import free_port_base

POLL_S = 0.05
SELF = 0  # a process group of its own
Settings = dict[str, dict[str, object]]
QUICK: Settings = {
    "consensus": {
        "timeout_propose": "400ms",
        "timeout_propose_delta": "100ms",
        "timeout_prevote": "200ms",
        "timeout_prevote_delta": "100ms",
        "timeout_precommit": "200ms",
        "timeout_precommit_delta": "100ms",
        "timeout_commit": "150ms",
    },
}


# --- CometBFT's configuration --------------------------------------------------------------------
def configured(path: Path, settings: Settings) -> None:
    """Write settings into a config.toml of CometBFT, by section; "" for what is above the first."""
    parts = re.split(r"(?m)^\[(\w+)\]\n", path.read_text())
    sections = {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}
    for name, values in settings.items():
        text = sections.get(name, "")
        for key, value in values.items():
            line = f"{key} = {json.dumps(value)}"
            text, count = re.subn(rf"(?m)^{key} *=.*$", lambda _, line=line: line, text)
            if not count:
                text = f"{line}\n{text}" if name else f"{text}{line}\n"
        sections[name] = text
    head = sections.pop("")
    path.write_text(head + "".join([f"[{name}]\n{text}" for name, text in sections.items()]))


# --- our half ------------------------------------------------------------------------------------
class Nursery:
    """Forks nodes of ours."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.live.comet_nursery"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment(),
        )  # fmt: skip

    def fork(self, home: Path, release: dict[str, Any]) -> int:
        """Start the node of a home; give its process id."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps({"home": str(home), "release": release}) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def end(self) -> None:
        """End it, and with it all nodes."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(PATIENCE_S)
        self.process.stdout.close()


class NodeProcess:
    """Our node of a pair, by a file descriptor that names its process for good."""

    def __init__(self, home: Path, nursery: Nursery) -> None:
        self.home = home
        self.nursery = nursery
        self.fd = -1

    @property
    def running(self) -> bool:
        """Say whether the process is there."""
        return self.fd != -1 and not select.select([self.fd], [], [], 0)[0]

    def start(self, release: dict[str, Any]) -> None:
        """Start it; it may not listen yet."""
        assert not self.running
        self.forget()
        (self.home / ENDPOINT_NAME).unlink(missing_ok=True)
        self.fd = os.pidfd_open(self.nursery.fork(self.home, release))

    def send(self, number: int) -> None:
        """Send a signal, and wait until it is gone."""
        if self.running:
            signal.pidfd_send_signal(self.fd, number)
            self.gone()

    def gone(self) -> None:
        """Wait until it is gone."""
        found = select.select([self.fd], [], [], PATIENCE_S)[0]
        assert found, f"the node of {self.home} does not end"

    def forget(self) -> None:
        """Let its process go."""
        if self.fd != -1:
            os.close(self.fd)
            self.fd = -1


class Pair:
    """Our node and its CometBFT."""

    def __init__(self, home: Home, nursery: Nursery, log: Path) -> None:
        self.home = home
        self.node = NodeProcess(home.path, nursery)
        self.comet = CometProcess(home, log)

    @property
    def config(self) -> Path:
        """Where CometBFT's configuration is."""
        return self.home.path / "cometbft/config/config.toml"

    def start(self, release: dict[str, Any] | None = None) -> None:
        """Start what is not running; wait until both listen, unless the node dies before."""
        if not self.node.running:
            self.comet.ended(PATIENCE_S)  # it ends by itself when its application has
            self.node.start(release or {})
        self.listening()
        if not self.comet.running:
            self.comet.start(SELF, lambda: self.node.running)

    def listening(self) -> None:
        """Wait until our node listens."""
        end_s = time.monotonic() + PATIENCE_S
        while not (self.home.path / ENDPOINT_NAME).exists():
            assert self.node.running, self.words()
            assert time.monotonic() < end_s, "the node does not listen"
            time.sleep(POLL_S)

    def words(self) -> str:
        """Give what our node has said, and CometBFT."""
        texts = [self.home.path / "node.out", self.comet.log]
        return "\n".join(path.read_text()[-3000:] for path in texts if path.exists())

    def kill(self) -> None:
        """kill -9 both."""
        self.node.send(signal.SIGKILL)
        self.comet.kill()

    def kill_node(self) -> None:
        """kill -9 our node; CometBFT then ends by itself."""
        self.node.send(signal.SIGKILL)

    def stop(self) -> None:
        """Tell both to stop, and wait."""
        self.comet.stop()
        self.node.send(signal.SIGTERM)


# --- a chain -------------------------------------------------------------------------------------
class CometChain:
    """The pairs of one chain. settings: of CometBFT, beside the short timeouts."""

    def __init__(
        self, folder: Path, count: int = 4, settings: Settings | None = None, **config: object
    ) -> None:
        base = free_port_base(2 * count)
        text = config_text(segment_mib=1, **config)
        self.folder = folder
        self.nursery = Nursery()
        self.pairs: list[Pair] = []
        self.genesis = folder / "validator-0/cometbft/config/genesis.json"
        for home in init_comet(folder, count, port_base=base, config_text=text):
            pair = self.added(home)
            configured(pair.config, {**QUICK, **(settings or {})})

    def added(self, home: Home) -> Pair:
        """Take one more home, whose processes end with the others."""
        pair = Pair(home, self.nursery, self.folder / f"{home.path.name}-cometbft.log")
        self.pairs.append(pair)
        return pair

    def start_all(self) -> None:
        """Start all pairs."""
        for pair in self.pairs:
            pair.start()

    def client(self, index: int, timeout_s: float = PATIENCE_S) -> Client:
        """Connect to a pair's node as soon as it listens."""
        pair = self.pairs[index]
        pair.listening()
        return Client(home_endpoint(pair.home.path), timeout_s)

    def ask(self, index: int, what: str, **question: Any) -> dict[str, Any]:
        """Ask our node of a pair; a moment at which it cannot answer passes."""
        end_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                with self.client(index) as client:
                    return client.ask(what, **question)
            except NodeGone:
                assert time.monotonic() < end_s, self.pairs[index].words()
                time.sleep(POLL_S)

    def rpc(self, index: int, method: str, **parameters: object) -> dict[str, Any]:
        """Ask CometBFT of a pair; give result or error."""
        at = self.pairs[index].comet.rpc
        asked = http.client.HTTPConnection(at.host, at.port, timeout=PATIENCE_S)
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        try:
            asked.request("POST", "/", json.dumps(body), {"Content-Type": "application/json"})
            found = json.loads(asked.getresponse().read())
        finally:
            asked.close()
        return dict(found["result"]) if "result" in found else {"error": found["error"]}

    def height(self, index: int) -> int:
        """Say how far our node of a pair is."""
        return int(self.ask(index, "network")["height"])

    def reached(self, height: int, indexes: Sequence[int] | None = None) -> list[str]:
        """Wait until pairs have executed a height; demand one root of it, and give the roots."""
        chosen = range(len(self.pairs)) if indexes is None else indexes
        for index in chosen:
            self.until(index, lambda at: self.height(at) >= height)
        roots = [str(self.ask(at, "root", height=height)["state_root"]) for at in chosen]
        assert len(set(roots)) == 1, roots
        return roots

    def goes_on(self, more: int = 2, indexes: Sequence[int] | None = None) -> int:
        """Wait until all have executed so many heights more than the first now has."""
        chosen = range(len(self.pairs)) if indexes is None else indexes
        wanted = max([self.height(at) for at in chosen]) + more
        self.reached(wanted, chosen)
        return wanted

    def until(self, index: int, holds: Callable[[int], bool]) -> None:
        """Wait until something holds of a pair."""
        end_s = time.monotonic() + PATIENCE_S
        while not holds(index):
            assert time.monotonic() < end_s, self.pairs[index].words()
            time.sleep(POLL_S)

    def members(self, height: int = 0, index: int = 0) -> dict[str, int]:
        """Ask CometBFT for the validators of a height: power by key in hex."""
        asked = {"height": str(height)} if height else {}
        found = self.rpc(index, "validators", **asked)
        return {
            base64.b64decode(it["pub_key"]["value"]).hex(): int(it["voting_power"])
            for it in found["validators"]
        }

    def end(self) -> None:
        """Leave nothing behind."""
        for pair in self.pairs:
            pair.kill()
            pair.node.forget()
        self.nursery.end()

    # --- what must hold at the end ---------------------------------------------------------------
    def sound(self) -> dict[int, str]:
        """Demand of running pairs equal roots at every height, equal replays, and no halt.

        Gives the roots by height.
        """
        roots: dict[int, str] = {}
        for pair in self.pairs:
            assert read_halt(pair.home.path) is None, pair.words()
            own = signed_roots(pair.home)
            assert own, "a log without a block"
            for height, root in own.items():
                assert roots.setdefault(height, root) == root, f"height {height} has two roots"
            if min(own) == 1:
                compared = replayed_chain(pair.home)
                assert compared.different == 0, compared.differences
                assert compared.unreached == "" and headers_compared(compared, own)
        assert sorted(roots) == list(range(1, max(roots) + 1))
        return roots


def headers_compared(compared: Compared, roots: dict[int, str]) -> bool:
    """Say whether all heights were held against CometBFT's headers, but the last ones."""
    return compared.own == compared.heights and compared.headers >= len(roots) - 1


def signed_roots(home: Home) -> dict[int, str]:
    """Read the root of each height in a home's log; none stands there twice."""
    roots: dict[int, str] = {}
    for scan in follow_segments(home.path, home.identity):
        for record in scan.records:
            if record.kind == Kind.CHECKPOINT:
                checkpoint = checkpoint_read(record.payload, home.identity)
                assert checkpoint.height not in roots, "a height was logged twice"
                roots[checkpoint.height] = checkpoint.state_root.hex()
    return roots


@contextmanager
def comet_chain(
    folder: Path, count: int = 4, settings: Settings | None = None, **config: object
) -> Iterator[CometChain]:
    """Make a chain and start it; none of its processes outlives the test."""
    chain = CometChain(folder, count, settings, **config)
    try:
        chain.start_all()
        yield chain
    finally:
        chain.end()


def signed(client: Client, key: bytes, *commands: Command, nonce: int = 0) -> Item:
    """Sign commands under the chain that a client is connected to."""
    chosen = nonce or time.time_ns() // 1_000_000
    return sign_bundle(key, client.chain(), 0, chosen, encode_commands(commands))


def tx_of(item: Item) -> str:
    """Write an item as CometBFT's RPC takes a transaction."""
    return base64.b64encode(encode_items([item])).decode()
