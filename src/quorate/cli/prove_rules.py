"""`quorate prove-rules`: prove, by z3, what the rules that run must hold."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import typer

from quorate.cli.console import FOUND_WRONG, USERS_MISTAKE, end, print_json, refuse_unwritable

LINE: Final = "  {:<44}{:<9}{:>6} goals{:>8.2f} s"


def command(
    groups: list[str] = typer.Argument(None, metavar="[GROUP]...", help="All, if none is named."),
    out: Path | None = typer.Option(None, "--json", metavar="OUT", help="A file, or - for stdout."),
) -> None:
    """Prove that no rule passes int64, and the identities of the risk engine."""
    from quorate.formal.groups import GROUPS, claims_of

    unknown = [name for name in groups or [] if name not in GROUPS]
    if unknown:
        end(USERS_MISTAKE, f'There is no group "{unknown[0]}": {", ".join(GROUPS)}.')
    proved_all(claims_of(groups or []), {name: title for name, (title, _) in GROUPS.items()}, out)


def proved_all(claims: Iterator[tuple[str, Any]], titles: dict[str, str], out: Path | None) -> None:
    """Prove claims, print a line for each, and end with what was found."""
    from quorate.formal.claims import examined
    from quorate.formal.solve import SolverMissing

    quiet = str(out) == "-"
    if out is not None and not quiet:
        refuse_unwritable("--json", out)
    rows: list[dict[str, Any]] = []
    group = ""
    for name, claim in claims:
        try:
            found = examined(claim)
        except SolverMissing as error:
            end(USERS_MISTAKE, str(error))
        if name != group and not quiet:
            print(titles[name])
        group = name
        rows.append(row_of(name, claim, found))
        if not quiet:
            shown(rows[-1])
    failed = sum(not row["proved"] for row in rows)
    total_s = sum(row["seconds"] for row in rows)
    if quiet:
        print_json({"claims": rows})
    else:
        print(f"{len(rows) - failed} of {len(rows)} proved in {total_s:.1f} s.")
    if out is not None and not quiet:
        from quorate.cli.what_if import write_json

        write_json(out, {"claims": rows})
    if failed:
        raise typer.Exit(FOUND_WRONG)


def row_of(group: str, claim: Any, found: Any) -> dict[str, Any]:
    """Give what was found of a claim as a tree."""
    return {
        "group": group,
        "name": claim.name,
        "text": claim.text,
        "proved": found.proved,
        "goals": found.goals,
        "settled_by_intervals": found.settled + found.by.get("intervals", 0),
        "seconds": round(found.seconds, 3),
        "failures": [
            {"place": place, "verdict": answer.verdict, "example": answer.example}
            for place, answer in found.failures
        ],
    }


def shown(row: dict[str, Any]) -> None:
    """Print one claim, and what failed of it."""
    verdict = "proved" if row["proved"] else "FAILED"
    print(LINE.format(row["name"], verdict, row["goals"], row["seconds"]), flush=True)
    for failure in row["failures"]:
        example = ", ".join(f"{name}={value}" for name, value in failure["example"].items())
        where = f" at {example}" if example else ""
        print(f"      {failure['verdict']}: {failure['place']}{where}")
