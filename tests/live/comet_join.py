"""A node that joins a chain under CometBFT, made as docs/cometbft.md tells an operator."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

from quorate.runtime.cometbft.binary import Program
from quorate.runtime.cometbft.homes import TX_BYTES_MAX, comet_place, dialled, proxy_app
from quorate.runtime.endpoint import Endpoint
from quorate.runtime.home import read_home
from quorate.runtime.validators import LOOPBACK
from tests.live.comet import QUICK, CometChain, Pair, Settings, configured
from tests.live.nodes import PATIENCE_S, quorate
from tests.live.validators import free_port_base


def joined(
    chain: CometChain, path: Path, program: Program, peers: tuple[int, ...] = (0, 1, 2, 3)
) -> Pair:
    """Make the home of one more node of a chain; it knows these pairs."""
    made = quorate("init", path, "--engine", "cometbft")
    output, errors = made.communicate(timeout=PATIENCE_S)
    assert made.returncode == 0, errors
    assert "app_state" in output and "proxy_app" in output
    subprocess.run(
        [program.path, "init", "--home", path / "cometbft"], check=True, capture_output=True
    )
    shutil.copy(chain.genesis, path / "cometbft/config/genesis.json")
    links = free_port_base(2)
    config = path / "config.toml"
    config.write_text(config.read_text().replace("127.0.0.1:26657", f"{LOOPBACK}:{links + 1}"))
    home = read_home(path)
    places = [comet_place(chain.pairs[at].home) for at in peers]
    known = ",".join([f"{it.node_id}@{dialled(it.listen)}" for it in places])
    own: Settings = {
        "": {"proxy_app": proxy_app(home)},
        "rpc": {"laddr": f"tcp://{LOOPBACK}:{links + 1}", "pprof_laddr": ""},
        "p2p": {
            "laddr": f"tcp://{dialled(Endpoint(host=LOOPBACK, port=links))}",
            "persistent_peers": known, "addr_book_strict": False, "allow_duplicate_ip": True,
            "pex": False,
        },
        "mempool": {"recheck": False, "max_tx_bytes": TX_BYTES_MAX},
    }  # fmt: skip
    pair = chain.added(home)
    configured(pair.config, {**QUICK, **own})
    return pair


def syncing(chain: CometChain, pair: Pair, servers: tuple[int, ...], height: int) -> None:
    """Have CometBFT of a pair begin by state sync, trusting the header of a height."""
    trusted: dict[str, Any] = chain.rpc(servers[0], "commit", height=str(height))
    configured(pair.config, {"statesync": {
        "enable": True,
        "rpc_servers": ",".join([f"http://{dialled(chain.pairs[at].comet.rpc)}" for at in servers]),
        "trust_height": height,
        "trust_hash": trusted["signed_header"]["commit"]["block_id"]["hash"],
        "discovery_time": "5s",
    }})  # fmt: skip
