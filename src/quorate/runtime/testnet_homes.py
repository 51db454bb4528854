"""The homes of a testnet: all validators of a chain on this machine, in one folder.

    folder/validator-0, folder/validator-1 ...   whole homes, see validators.py, cometbft/homes.py

Made where there are none, taken as they are where there are, so that the same chain goes on. Ports
of validators are this machine's own affair: where another process has taken one, all are changed,
in every home.
"""

import os
import re
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from quorate.runtime.cometbft.homes import PORTS_EACH as COMETBFT_PORTS_EACH
from quorate.runtime.cometbft.homes import comet_place, comet_ports, comet_rebased, init_comet
from quorate.runtime.config import COMETBFT, CONFIG_TEXT, SOLO
from quorate.runtime.disk import HomeRefused, flock_or_refuse, io_failing, write_whole
from quorate.runtime.endpoint import Endpoint, abci_endpoint, listen_endpoint
from quorate.runtime.files import LOCK_NAME
from quorate.runtime.home import (
    COMETBFT_FOLDER,
    COMETBFT_GENESIS,
    CONFIG_NAME,
    Home,
    names_in,
    read_home,
)
from quorate.runtime.validators import LOOPBACK, PORT_MAX, init_validators

COUNT: Final = 4
NAME: Final = re.compile(r"validator-(0|[1-9][0-9]*)")
# Ports for a testnet whose own are taken. Below those that systems give to outgoing connections.
PORT_FIRST: Final = 10_000
PORT_LAST: Final = 20_000
PORTS_EACH: Final = 16


def local_homes(
    folder: Path,
    count: int | None = None,
    port_base: int = 0,
    config_text: str = CONFIG_TEXT,
    engine: str | None = None,
) -> tuple[list[Home], bool]:
    """Make the homes of a testnet, or take those that are there; say whether they are new.

    count: None for COUNT, or for as many as there are. port_base: 0 for any that are free. engine:
    of new homes, CLUSTER if none is named; None for that of those which are there. Raises
    HomeRefused, HomeLocked, StorageFailed.
    """
    names = names_in(folder)
    if not names:
        wanted = COUNT if count is None else count
        many = engine == COMETBFT
        base = free_base(wanted * (COMETBFT_PORTS_EACH if many else 1), port_base)
        init = init_comet if many else init_validators
        homes = init(folder, wanted, None, None, base, config_text)
        for home in homes:
            refuse_long(home)
        return homes, True
    homes = [read_home(folder / name) for name in sorted_names(names)]
    refuse_strange(folder, homes, count, engine)
    for home in homes:
        refuse_held(home)
        refuse_long(home)
    ports = ports_of(homes)
    if all(port_free(port) for port in ports):
        return homes, False
    base = free_base(len(ports), 0)
    under_cometbft = homes[0].engine == COMETBFT
    return (comet_rebased if under_cometbft else rebased)(homes, base), False


def sorted_names(names: Sequence[str]) -> list[str]:
    """Give the names of validators' homes in the order of validators."""
    found = [name for name in names if NAME.fullmatch(name)]
    return sorted(found, key=lambda name: int(name.rpartition("-")[2]))


def peers_of(home: Home) -> tuple[Endpoint, ...]:
    """Give where each validator is reached."""
    assert home.config.cluster is not None
    return home.config.cluster.peers


def ports_of(homes: Sequence[Home]) -> list[int]:
    """Give all ports of a testnet, but those of clients. Raises HomeRefused."""
    if homes[0].engine == COMETBFT:
        return comet_ports(homes)
    return [endpoint.port for endpoint in peers_of(homes[0])]


def chain_of(home: Home) -> tuple[bytes, int, Sequence[Endpoint]]:
    """Give what all homes of a chain share, how many they are, and where the validators are."""
    if home.engine == COMETBFT:
        place = comet_place(home)
        path = home.path / COMETBFT_FOLDER / COMETBFT_GENESIS
        return path.read_bytes(), place.count, (place.listen, *place.peers)
    assert home.consensus is not None
    return home.consensus_hash, len(home.consensus.validators), peers_of(home)


def refuse_strange(
    folder: Path, homes: list[Home], count: int | None, engine: str | None = None
) -> None:
    """Refuse homes that are not all the validators of one chain on this machine."""
    if not homes:
        raise HomeRefused(f"{folder} is not empty, and holds no validator-0; name another folder.")
    found = homes[0].engine
    for index, home in enumerate(homes):
        strange = home.me != index or home.path.name != f"validator-{index}"
        if strange or home.engine == SOLO:
            raise HomeRefused(f"{home.path} is not the home of validator {index} of a chain.")
        if home.engine != found or chain_of(home)[0] != chain_of(homes[0])[0]:
            raise HomeRefused(f"{home.path} is of another chain than {homes[0].path}.")
        if any(endpoint.host != LOOPBACK for endpoint in chain_of(home)[2]):
            raise HomeRefused(
                f"{home.path} has validators at other addresses than {LOOPBACK}; "
                f"`quorate run {home.path}` runs it alone."
            )
    if engine is not None and engine != found:
        raise HomeRefused(
            f"{folder} holds a chain of the engine {found}, not {engine}; name another folder."
        )
    there = chain_of(homes[0])[1]
    if len(homes) != there:
        raise HomeRefused(
            f"{folder} holds the homes of {len(homes)} of {there} validators; put the others there."
        )
    if count is not None and count != there:
        raise HomeRefused(
            f"{folder} holds a chain of {there} validators, not {count}; name another folder."
        )


def refuse_long(home: Home) -> None:
    """Refuse a home whose sockets would have too long a path."""
    listen_endpoint(home.path, home.config.listen)
    if home.config.cometbft is not None:
        abci_endpoint(home.path, home.config.cometbft.abci)


def refuse_held(home: Home) -> None:
    """Refuse a home that a node runs in. Raises HomeLocked."""
    path = home.path / LOCK_NAME
    with io_failing("open", path):
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        flock_or_refuse(fd, home.path)
    finally:
        os.close(fd)


# --- ports ---------------------------------------------------------------------------------------
def port_free(port: int) -> bool:
    """Say whether a validator could listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As asyncio's servers do: a connection that lately ended takes no port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_base(count: int, port_base: int) -> int:
    """Give the first of `count` ports in a row that are free: port_base, or else others.

    The search begins where no other process's does, so that two testnets which start together do
    not choose the same. Raises HomeRefused.
    """
    if port_base and not 1 <= port_base <= PORT_MAX + 1 - count:
        raise HomeRefused(f"Port {port_base} is not from 1 to {PORT_MAX + 1 - count}.")
    stride = max(PORTS_EACH, count)
    slots = (PORT_LAST - PORT_FIRST) // stride
    first = os.getpid() % slots
    others = (PORT_FIRST + (first + step) % slots * stride for step in range(slots))
    for base in ([port_base] if port_base else []):
        if all(port_free(base + at) for at in range(count)):
            return base
    for base in others:
        if all(port_free(base + at) for at in range(count)):
            return base
    raise HomeRefused(f"No {count} ports in a row from {PORT_FIRST} to {PORT_LAST} are free.")


def rebased(homes: list[Home], base: int) -> list[Home]:
    """Write other ports between validators into the homes; give the homes as they are then."""
    changed = {f'"{peer}"': base + at for at, peer in enumerate(peers_of(homes[0]))}
    place = re.compile("|".join(re.escape(old) for old in changed))

    def renamed(found: "re.Match[str]") -> str:
        return f'"tcp:{LOOPBACK}:{changed[found[0]]}"'

    for home in homes:
        path = home.path / CONFIG_NAME
        with io_failing("write", path):
            text = place.sub(renamed, path.read_text(encoding="utf-8"))
            write_whole(path, [text.encode("utf-8")])
    return [read_home(home.path) for home in homes]
