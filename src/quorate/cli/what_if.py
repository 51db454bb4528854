"""`quorate what-if`: who would be liquidatable under other parameters or marks."""

import re
from pathlib import Path
from typing import Any, Final

import typer

from quorate.cli.console import (
    USERS_MISTAKE,
    Bar,
    end,
    errors_named,
    print_json,
    refuse_unwritable,
)
from quorate.cli.inspect import money

SETTING: Final = re.compile("([a-z0-9_]{1,40})=(-?[0-9]{1,18})")
TIER: Final = re.compile("([0-9]{1,6}):([0-9]{1,18}):([0-9]{1,6})")
MARK: Final = re.compile("([0-9]{1,6})=([0-9]{1,18})")
COUNTS: Final = "  {:<17}{:>9}{:>22}{:>9}{:>22}"
WORST: Final = "  {:<18}{:<32}{:>20}{:>20}"


def command(
    source: Path = typer.Argument(
        ..., metavar="SOURCE", help="A home, whose node may be running, or a snapshot's file."
    ),
    market: int | None = typer.Option(None, help="The market whose parameters --set changes."),
    settings: list[str] = typer.Option(
        [], "--set", metavar="NAME=VALUE", help="A risk parameter, or a number of the venue."
    ),
    tiers: list[str] = typer.Option(
        [], "--tier", metavar="SLOT:LOWER:LEVERAGE", help="A margin tier; LOWER in 1e-6 quote."
    ),
    marks: list[str] = typer.Option([], "--mark", metavar="N=TICKS", help="A market's mark."),
    out: Path | None = typer.Option(None, "--json", metavar="OUT", help="A file, or - for stdout."),
) -> None:
    """Judge all accounts under a proposed change, on a copy; nothing is changed."""
    read = {
        "settings": [parsed(SETTING, "--set", "NAME=VALUE", text) for text in settings],
        "tiers": [parsed(TIER, "--tier", "SLOT:LOWER:LEVERAGE", text) for text in tiers],
        "marks": [parsed(MARK, "--mark", "N=TICKS", text) for text in marks],
    }
    if not any(read.values()):
        end(USERS_MISTAKE, "Propose a change: --set NAME=VALUE, --tier or --mark.")
    to_stdout = out is not None and str(out) == "-"
    if out is not None and not to_stdout:
        refuse_unwritable("--json", out)
    with errors_named():
        tree = {"source": str(source), **judged_change(image_at(source), market, read)}
    if to_stdout:
        print_json(tree)
        return
    print("\n".join(lines(tree)))
    if out is not None:
        write_json(out, tree)


def parsed(form: "re.Pattern[str]", option: str, shape: str, text: str) -> tuple[Any, ...]:
    """Read an option's value: its integers as integers, a name as it is."""
    found = form.fullmatch(text)
    if found is None:
        end(USERS_MISTAKE, f'{option} takes {shape}, not "{text}".')
    return tuple(
        int(each) if each.removeprefix("-").isdigit() else each for each in found.groups()
    )


def image_at(source: Path) -> Any:
    """Load the last state of a home, or that of a snapshot."""
    if source.is_dir():
        from quorate.cli.warm import warmed
        from quorate.runtime.home import read_home

        home = read_home(source)
        warmed()
        # Importing this compiles what is not compiled yet, without a word.
        from quorate.runtime.recover import restored

        with Bar("Replaying the log") as bar:
            return restored(home, None, bar.update).executor.image()
    from quorate.replica.state import snapshot_image
    from quorate.storage.snapshot import identity_read

    try:
        data = source.read_bytes()
    except OSError as error:
        end(USERS_MISTAKE, f"{source} cannot be read: {error.strerror}.")
    return snapshot_image(data, identity_read(data))[1]


def judged_change(image: Any, market: int | None, read: dict[str, Any]) -> dict[str, Any]:
    """Put the change into a copy of a state; judge before and after."""
    from quorate.execution.image import tables_of
    from quorate.replica import what_if
    from quorate.types.records import Table

    t = tables_of(image)
    before = what_if.judged(t)
    try:
        for name, value in read["settings"]:
            what_if.set_named(t, market, name, value)
        for tier in read["tiers"]:
            what_if.set_tier(t, *tier)
        for mark in read["marks"]:
            what_if.set_mark(t, *mark)
    except what_if.ChangeRefused as refused:
        end(USERS_MISTAKE, str(refused))
    chain = t.row(Table.CHAIN, 0)
    after = what_if.answer(t, before, what_if.judged(t))
    return {"height": chain.height, "time_ms": chain.time_ms, "market": market, **read, **after}


def write_json(out: Path, tree: dict[str, Any]) -> None:
    """Write the answer for machines."""
    import json

    try:
        out.write_text(json.dumps(tree, indent=1) + "\n", encoding="ascii")
    except OSError as error:
        end(USERS_MISTAKE, f"{out} cannot be written: {error.strerror}.")


def lines(tree: dict[str, Any]) -> list[str]:
    """Write the answer for a reader."""
    found = [
        f"{tree['source']}: height {tree['height']}",
        f"  {tree['newly_liquidatable']} of {tree['liquidatable']} liquidatable margin accounts "
        f"would be so by the change alone, worth {money(tree['newly_liquidatable_notional_e6'])}",
        COUNTS.format("standing", "before", "worth", "after", "worth"),
    ]
    for name, row in tree["before"].items():
        then = tree["after"][name]
        worth = money(row["notional_e6"]), money(then["notional_e6"])
        found.append(COUNTS.format(
            name.lower().replace("_", "-"), row["buckets"], worth[0], then["buckets"], worth[1]
        ))  # fmt: skip
    found.append(WORST.format("worst after it", "standing", "equity", "maintenance"))
    for row in tree["worst"]:
        where = f"{row['account']}" + (f" in {row['bucket']}" if row["bucket"] else "")
        change = f"{row['standing_before']} -> {row['standing_after']}".lower().replace("_", "-")
        found.append(WORST.format(
            where, change, money(row["equity_after_e6"]), money(row["maintenance_after_e6"])
        ))  # fmt: skip
    return found
