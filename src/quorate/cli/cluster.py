"""`quorate cluster`: all validators of a chain as processes of this machine.

Nothing that holds kernels is imported before they are compiled, so that the first run can say what
it is doing.
"""

import asyncio
import contextlib
import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer
from rich.console import Console
from rich.live import Live

from quorate.cli.console import FOUND_WRONG, USERS_MISTAKE, end, errors_named, refuse_engine

if TYPE_CHECKING:
    from quorate.runtime.cometbft.process import PairProcess
    from quorate.runtime.home import Home
    from quorate.runtime.testnet import Testnet
    from quorate.runtime.testnet_watch import Watch
    from quorate.runtime.validator_process import ValidatorProcess

POLL_S: Final = 0.5
LINES_EVERY_S: Final = 5.0
PORT_BASE: Final = 7_700
PORT_BASE_COMETBFT: Final = 26_656


def command(
    validators: int | None = typer.Option(None, "--validators", help="How many; 4."),
    engine: str | None = typer.Option(
        None, "--engine", help="Who orders the chain: cluster or cometbft. Without it: that of the "
        "homes, cluster for new ones.",
    ),
    home: Path | None = typer.Option(
        None, "--home", help="A folder for all homes, kept; one that holds them goes on. "
        "Without it: a temporary one.",
    ),
    port_base: int | None = typer.Option(
        None, "--port-base", help="The first port between validators, or others if one of them is "
        "taken; 0 for any. Without it 7700, of cometbft 26656.",
    ),
    plain: bool = typer.Option(False, "--plain", help="Lines instead of the live view."),
) -> None:
    """Run all validators of a chain on this machine until Ctrl-C."""
    refuse_engine(engine, ("cluster", "cometbft"))
    folder = home or Path(tempfile.mkdtemp(prefix="quorate-cluster-"))
    console = Console(highlight=False)
    live = console.is_terminal and not console.is_dumb_terminal and not plain
    try:
        with errors_named():
            from quorate.cli.warm import warmed
            from quorate.runtime.testnet_homes import local_homes

            if engine == "cometbft":
                refuse_without_cometbft()
            base = PORT_BASE_COMETBFT if engine == "cometbft" else PORT_BASE
            base = base if port_base is None else port_base
            homes, new = local_homes(folder, validators, base, engine=engine)
            if engine is None and homes[0].engine == "cometbft":
                refuse_without_cometbft()
            warmed()
            from quorate.runtime.validator_process import ValidatorFailed

            print(headline(folder, homes, new, home is not None), flush=True)
            try:
                asyncio.run(Cluster(folder, homes, live, console).run())
            except ValidatorFailed as failed:
                # What an operator got wrong stays that, whichever process has said it.
                code = USERS_MISTAKE if failed.code == USERS_MISTAKE else FOUND_WRONG
                end(code, str(failed))
    finally:
        if home is None:
            shutil.rmtree(folder, ignore_errors=True)


def refuse_without_cometbft() -> None:
    """Refuse to start what would lack its program or its libraries. Raises HomeRefused."""
    from quorate.runtime.cometbft.binary import comet_program, refuse_without_libraries

    refuse_without_libraries()
    comet_program()


def headline(folder: Path, homes: "list[Home]", new: bool, kept: bool) -> str:
    """Say which chain this is, and where it lies."""
    from quorate.cli.init import strength

    first = homes[0]
    done = "Made" if new else "Found"
    engine = " on CometBFT" if first.engine == "cometbft" else ""
    rest = "" if kept else " It is deleted at the end; --home FOLDER keeps it."
    return (
        f"{done} {folder}: {first.genesis.name}, chain {first.genesis.chain_id}{engine}, "
        f"{strength(first)}.{rest}"
    )


def where(validator: "ValidatorProcess | PairProcess") -> str:
    """Say which processes a validator is, and where they listen."""
    from quorate.runtime.cometbft.process import PairProcess

    shown = f"process {validator.pid}  clients {validator.endpoint}"
    if isinstance(validator, PairProcess):
        return f"{shown}  CometBFT: process {validator.comet.pid}  rpc {validator.comet.rpc}"
    cluster = validator.home.config.cluster
    assert cluster is not None
    return f"{shown}  validators {cluster.listen}"


class Cluster:
    """The validators that run, and how they are shown."""

    def __init__(self, folder: Path, homes: "list[Home]", live: bool, console: Console) -> None:
        self.folder = folder
        self.homes = homes
        self.live = live
        self.console = console
        self.wanted: asyncio.Event

    async def run(self) -> None:
        """Run them until told to stop. Raises ValidatorFailed."""
        from quorate.runtime.testnet import Testnet
        from quorate.runtime.testnet_watch import Watch

        self.wanted = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.wanted.set)
        with Testnet(self.folder, self.homes) as net:
            watch = Watch(net)
            if not await self.started(watch):
                return
            self.tell_where(net)
            await self.shown(watch)
            print("Stopping.", flush=True)
            await watch.look()
            await watch.close()
            await asyncio.to_thread(net.stop)
            at = ", ".join(str(it.height) for it in watch.standings)
            print(f"Stopped at heights {at}. Logs of errors: {self.folder}/validator-N.log.")

    async def started(self, watch: "Watch") -> bool:
        """Start all; say whether they run, and nobody wants them to stop already."""
        from quorate.runtime.errors import NodeGone
        from quorate.runtime.validator_process import ValidatorFailed

        starting = asyncio.ensure_future(watch.start())
        stopping = asyncio.ensure_future(self.wanted.wait())
        await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if starting.done():
            await starting
            return True
        watch.net.abort()
        with contextlib.suppress(ValidatorFailed, NodeGone):
            await starting
        return False

    def tell_where(self, net: "Testnet") -> None:
        """Say where validators listen."""
        for validator in net.validators:
            print(f"  validator {validator.home.me}  {where(validator)}")
        print("Ctrl-C stops them all.", flush=True)

    async def shown(self, watch: "Watch") -> None:
        """Show the validators until somebody wants them to stop, or none is left."""
        from quorate.cli.validators_view import lines, table

        screen = Live(console=self.console, auto_refresh=False) if self.live else None
        with screen or contextlib.nullcontext():
            next_s = 0.0
            while not self.wanted.is_set():
                await watch.look()
                if not any(it.running for it in watch.standings):
                    return
                now_s = asyncio.get_running_loop().time()
                if screen is not None:
                    wide = self.console.width >= 100
                    screen.update(table(watch.standings, wide), refresh=True)
                elif now_s >= next_s:
                    print("\n".join(lines(watch.standings)), flush=True)
                    next_s = now_s + LINES_EVERY_S
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.wanted.wait(), POLL_S)
