"""Recorded files -> rows of text, by number. A file that cannot be used is refused with its line.

Nothing here knows a format; each format's reader turns a line into a record and raises LineRefused.
"""

import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TextIO, TypeVar

Record = TypeVar("Record")
LINE_SHOWN_MAX: Final = 60
NUMBER_DIGITS_MAX: Final = 18  # what such a number says fits int64 in any scale used here

NUMBER_MAX: Final = 10**NUMBER_DIGITS_MAX - 1


class FileRefused(Exception):
    """The file cannot be replayed. One sentence that names the file and, if it is one, the line."""


class LineRefused(Exception):
    """A line is not of the format. The message says what it should be."""


def opened(path: Path) -> TextIO:
    """Open a recorded file as text, whatever packs it."""
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="ascii")
    if path.suffix == ".xz":
        return lzma.open(path, "rt", encoding="ascii")
    return path.open(encoding="ascii")


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Give the lines of a file with their numbers, from 1. Raises FileRefused."""
    number = 0
    try:
        with opened(path) as source:
            for number, line in enumerate(source, 1):
                yield number, line.rstrip("\r\n")
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise FileRefused(
            f"{path} is damaged after line {number} ({error}); fetch it again."
        ) from error
    except UnicodeDecodeError as error:
        raise FileRefused(f"{path} is not text after line {number}.") from error
    except OSError as error:
        raise FileRefused(f"{path} cannot be read: {error.strerror or error}.") from error


def records(
    path: Path, parse: Callable[[str], Record], header: str = "", limit: int = 0
) -> list[Record]:
    """Read a whole file before anything is sent. `limit` rows, 0 for all. Raises FileRefused.

    `header`: the first line that the format demands, none if empty.
    """
    found: list[Record] = []
    for number, line in lines(path):
        try:
            if number == 1 and header:
                if line != header:
                    raise LineRefused(f"the header must be {header}")
                continue
            if limit and len(found) == limit:
                break
            found.append(parse(line))
        except LineRefused as refused:
            shown = line if len(line) <= LINE_SHOWN_MAX else line[:LINE_SHOWN_MAX] + " ..."
            raise FileRefused(f"{path}, line {number}: {refused}; it is {shown!r}.") from refused
    if not found:
        raise FileRefused(f"{path} holds no record.")
    return found


def split(line: str, count: int) -> list[str]:
    """Split a comma-separated line of exactly `count` fields. Raises LineRefused."""
    fields = line.split(",")
    if len(fields) != count:
        raise LineRefused(f"a line must have {count} fields")
    return fields


def integer(text: str, name: str, least: int = 0, most: int = NUMBER_MAX) -> int:
    """Read a decimal integer from `least` to `most`. Raises LineRefused."""
    digits = text.removeprefix("-")
    if digits.isascii() and digits.isdigit() and len(digits) <= NUMBER_DIGITS_MAX:
        if least <= int(text) <= most:
            return int(text)
    upto = "" if most == NUMBER_MAX else f" to {most}"
    raise LineRefused(f"{name} must be an integer from {least}{upto}")


def scaled(text: str, decimals: int, name: str) -> int:
    """Read a decimal number as an integer in units of 10^-decimals, exactly. Raises LineRefused."""
    whole, _, rest = text.partition(".")
    rest = rest.rstrip("0")
    digits = whole + rest.ljust(decimals, "0")
    if whole and digits.isascii() and digits.isdigit() and len(rest) <= decimals:
        if len(digits) <= NUMBER_DIGITS_MAX:
            return int(digits)
    raise LineRefused(f"{name} must be a number with at most {decimals} decimals")
