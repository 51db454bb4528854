"""How every event with words of its own is read, kind by kind (codes.EventKind)."""

from typing import Final

from quorate.types import clearing, options

EVENT_WORDS_OF: Final = {**clearing.EVENT_WORDS_OF, **options.EVENT_WORDS_OF}
EVENT_READINGS: Final = {**clearing.EVENT_READINGS, **options.EVENT_READINGS}
assert all(each.itemsize == 112 for each in EVENT_READINGS.values())
