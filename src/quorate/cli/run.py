"""`quorate run`: run the node of a home."""

import json
import time
from pathlib import Path

import typer

from quorate.cli.console import Bar, errors_named


def command(
    home: Path = typer.Argument(..., metavar="HOME", help="A home that `init` has made."),
    as_json: bool = typer.Option(False, "--json", help="Say in one line for machines where."),
) -> None:
    """Run the node of a home until SIGTERM or SIGINT."""
    with errors_named():
        from quorate.cli.warm import warmed
        from quorate.runtime.endpoint import listen_endpoint
        from quorate.runtime.home import read_home

        found = read_home(home)
        listen_endpoint(found.path, found.config.listen)
        warmed()
        if found.consensus is not None:
            from quorate.cli.run_validator import run_validator

            run_validator(found, as_json)
            return
        # Importing these compiles what is not compiled yet, without a word.
        from quorate.runtime.node import run_node
        from quorate.runtime.start import Started, refuse_halted, start

        refuse_halted(found)
        before_s = time.monotonic()
        with Bar("Replaying the log") as bar:
            started = start(found, bar.update)
        seconds = time.monotonic() - before_s

        def announce(endpoint: str) -> None:
            report(started, endpoint, seconds, as_json)

        def report(it: Started, endpoint: str, seconds: float, as_json: bool) -> None:
            executor = it.replica.executor
            if as_json:
                tree = {
                    "height": executor.height,
                    "state_root": executor.root.hex(),
                    "endpoint": endpoint,
                    "snapshot": it.snapshot,
                    "blocks_replayed": it.blocks,
                    "commands_replayed": it.commands,
                    "recovery_s": round(seconds, 3),
                    "torn_at": it.torn.offset if it.torn else None,
                }
                print(json.dumps(tree), flush=True)
                return
            if it.torn is not None:
                print(
                    f"Cut an unfinished write from segment {it.torn.segment}, "
                    f"offset {it.torn.offset}; nothing in it was acknowledged."
                )
            source = f"snapshot {it.snapshot}" if it.snapshot else "genesis"
            print(
                f"Height {executor.height}, root {executor.root.hex()[:16]}: {source} and "
                f"{it.blocks} blocks of the log, {seconds:.1f} s."
            )
            print(f"Listening at {endpoint}. Stop with Ctrl-C.", flush=True)

        run_node(found, started.files, started.replica, announce)
        if not as_json:
            executor = started.replica.executor
            print(f"Stopped at height {executor.height}, root {executor.root.hex()[:16]}.")
