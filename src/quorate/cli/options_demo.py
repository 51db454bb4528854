"""`quorate options demo`: options from listing to settlement on four validators of this machine.

The story is in options_show.py. Nothing that holds kernels is imported before they are compiled.
"""

import asyncio
import json
import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer
from rich.console import Console

from quorate.cli.console import FOUND_WRONG, end, errors_named, refuse_unwritable
from quorate.cli.demo import INTERRUPTED, VALIDATORS, refuse_used, warmed

if TYPE_CHECKING:
    from quorate.cli.options_show import OptionsShow
    from quorate.runtime.home import Home

GENESIS_NAME: Final = "genesis.json"
SECONDS_MIN: Final = 20.0  # of a life: ten to trade in, and a fixing of ten


def command(
    seconds: float = typer.Option(
        30.0, min=SECONDS_MIN, max=3600.0, help="How long the series live."
    ),
    home: Path | None = typer.Option(
        None, "--home", help="A new or empty folder, kept; without it: a temporary one."
    ),
    json_out: Path | None = typer.Option(None, "--json", help="Write the result here, too."),
) -> None:
    """Show options from listing to settlement on this machine."""
    if json_out is not None:
        refuse_unwritable("--json", json_out)
    folder = None if home else Path(tempfile.mkdtemp(prefix="quorate-options-"))
    path = home or Path(str(folder), "home")
    try:
        with errors_named():
            refuse_used(path)
            warmed(Console(highlight=False), False)
            show = shown(path, seconds)
            try:
                asyncio.run(played(show))
            except (KeyboardInterrupt, asyncio.CancelledError):
                end(INTERRUPTED, "interrupted; no node is left running.")
        result = show.result
        result.ok = not result.findings
        if json_out is not None:
            json_out.write_text(json.dumps(result.tree(), indent=1) + "\n", encoding="ascii")
        for finding in result.findings:
            print(f"FOUND WRONG: {finding}")
        if home is not None:
            print(f"The homes are kept: quorate verify {path}/settlement.proof "
                  f"--consensus {path}/validator-0/consensus.json")  # fmt: skip
        if not result.ok:
            raise typer.Exit(FOUND_WRONG)
        print("All right: listed, traded, fixed, settled; every payment is what its text says.")
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


async def played(show: "OptionsShow") -> None:
    """Play the story; a signal ends it in order."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    await show.run()


def shown(path: Path, seconds: float) -> "OptionsShow":
    """Make homes and story. Raises HomeRefused, StorageFailed."""
    from quorate.cli.options_show import OptionsShow

    return OptionsShow(path, options_homes(path), seconds)


def options_homes(path: Path) -> "list[Home]":
    """Make the homes of the validators, with the genesis of the story."""
    from quorate.cli.demo_parts import DEMO_CONFIG
    from quorate.cli.options_desk import options_genesis
    from quorate.codec.genesis import encode_genesis
    from quorate.runtime.testnet_homes import free_base, refuse_long
    from quorate.runtime.validators import init_validators

    with tempfile.TemporaryDirectory(prefix="quorate-genesis-") as folder:
        genesis = Path(folder, GENESIS_NAME)
        genesis.write_bytes(encode_genesis(options_genesis()))
        homes = init_validators(
            path, VALIDATORS, genesis, port_base=free_base(VALIDATORS, 0), config_text=DEMO_CONFIG
        )
    for each in homes:
        refuse_long(each)
    return homes
