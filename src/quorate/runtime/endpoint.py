"""Where a node listens, and how a home says so."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from quorate.runtime.errors import NodeGone

ENDPOINT_NAME: Final = "endpoint"


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
