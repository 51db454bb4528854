"""A group of commands whose modules are imported only when they are called.

A table names each command: its module and what it does. The module has the function `command`, or,
for a group below, a table COMMANDS of its own.
"""

import importlib
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

CONTEXT: Final = {"help_option_names": ["-h", "--help"]}
Table = dict[str, tuple[str, str]]


class Commands(TyperGroup):
    """The commands of `table` by name. Help shows them without importing what they need."""

    table: Table

    def list_commands(self, ctx: Any) -> list[str]:
        """Name the commands in reading order."""
        return list(self.table)

    def stand_in(self, ctx: Any, cmd_name: str) -> Any:
        """Give a command that help can show, or None."""
        if cmd_name not in self.table:
            return None
        return TyperCommand(cmd_name, help=self.table[cmd_name][1])

    get_command = stand_in

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that is called, and import it."""
        name, found, rest = super().resolve_command(ctx, args)
        return name, self.loaded(str(name)) if found is not None else None, rest

    def loaded(self, name: str) -> Any:
        """Import a command, or the table of a group."""
        module_name, says = self.table[name]
        module = importlib.import_module(module_name)
        if hasattr(module, "COMMANDS"):
            group = grouped(module.COMMANDS)
            group.callback(help=says)(lambda: None)
            return typer.main.get_command(group)
        single = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=CONTEXT)
        single.command(name, help=says)(module.command)
        return typer.main.get_command(single)


def grouped(table: Table) -> typer.Typer:
    """Make the group of a table. It is one once it has a callback."""
    return typer.Typer(
        cls=type("TableCommands", (Commands,), {"table": table}),
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings=CONTEXT,
    )
