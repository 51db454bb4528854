"""`quorate warm`: compile all kernels."""

import typer

from quorate.cli.console import Bar, errors_named, print_json


def warmed() -> float:
    """Compile what the cache lacks; give the seconds it took."""
    from quorate.compiled import is_warm, warm

    if is_warm():
        return 0.0
    with Bar("Compiling kernels (once per version)") as bar:
        return warm(progress=lambda module, seconds, done, total: bar.update(done, total))


def command(
    as_json: bool = typer.Option(False, "--json", help="Print for machines."),
) -> None:
    """Compile all kernels."""
    with errors_named():
        from quorate.compiled import FOLDER

        seconds = warmed()
        if as_json:
            print_json({"seconds": round(seconds, 1), "folder": str(FOLDER)})
        elif seconds:
            print(f"Compiled in {seconds:.1f} s into {FOLDER}.")
        else:
            print(f"All kernels are compiled already, in {FOLDER}.")
