"""Where a node listens, and how a home says so."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from quorate.runtime.disk import HomeRefused
from quorate.runtime.errors import NodeGone

ENDPOINT_NAME: Final = "endpoint"
SOCKET_NAME: Final = "node.sock"
ABCI_NAME: Final = "abci.sock"
UNIX: Final = "unix"
UNIX_PATH_BYTES_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a node listens. path: of a Unix socket; or host and port."""

    path: str = ""
    host: str = ""
    port: int = 0

    def __str__(self) -> str:
        return f"unix:{self.path}" if self.path else f"tcp:{self.host}:{self.port}"


def endpoint_read(text: str) -> Endpoint | None:
    """Read `unix:PATH` or `tcp:HOST:PORT`; None for anything else."""
    kind, _, rest = text.strip().partition(":")
    if kind == "unix" and rest:
        return Endpoint(path=rest)
    host, _, port = rest.rpartition(":")
    if kind == "tcp" and host and port.isdigit() and int(port) < 1 << 16:
        return Endpoint(host=host, port=int(port))
    return None


def listen_endpoint(home: Path, listen: str) -> Endpoint:
    """Say where the node of a home is to listen. Raises HomeRefused.

    listen: as a configuration that was checked has it. A socket lies in the home, whose
    permissions guard it; what cannot be so is refused, for another endpoint is open to others.
    """
    if listen != UNIX:
        endpoint = endpoint_read(listen)
        assert endpoint is not None, "checked when the configuration was read"
        return endpoint
    return socket_endpoint(str((home / SOCKET_NAME).absolute()), "listen")


def abci_endpoint(home: Path, abci: str) -> Endpoint:
    """Say where CometBFT reaches the node of a home. Raises HomeRefused.

    abci: as a configuration that was checked has it. A relative path counts from the home.
    """
    endpoint = Endpoint(path=ABCI_NAME) if abci == UNIX else endpoint_read(abci)
    assert endpoint is not None, "checked when the configuration was read"
    if not endpoint.path:
        return endpoint
    return socket_endpoint(str((home / endpoint.path).absolute()), "abci")


def socket_endpoint(path: str, setting: str) -> Endpoint:
    """Name a Unix socket. setting: that of the configuration which names it. Raises HomeRefused."""
    size = len(os.fsencode(path))
    if size > UNIX_PATH_BYTES_MAX:
        raise HomeRefused(
            f"{path} has {size} bytes, but a Unix socket's path has at most {UNIX_PATH_BYTES_MAX}: "
            "name the home by a shorter path, for example a symbolic link to it, or set "
            f'{setting} = "tcp:127.0.0.1:PORT" in its config.toml.'
        )
    return Endpoint(path=path)


def home_endpoint(home: Path) -> Endpoint:
    """Say where the node of a home listens. Raises NodeGone when none runs there."""
    try:
        text = (home / ENDPOINT_NAME).read_text(encoding="utf-8")
    except OSError as error:
        raise NodeGone(f"No node runs in {home}; `quorate run {home}` starts one.") from error
    found = endpoint_read(text)
    if found is None:
        raise NodeGone(f"{home / ENDPOINT_NAME} does not name an endpoint.")
    return found
