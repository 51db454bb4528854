"""The core of a liar: it votes on although it sees its own signature on what it never signed.

An honest core takes that for the proof that its journal is an old copy, and stops (Voting.recall).
"""

from quorate.ordering.rounds import Round
from quorate.ordering.simplex import Simplex
from quorate.types.consensus import Certificate


class Shameless(Simplex):
    """Agreement without that scruple."""

    def recall(self, held: Round, certificate: Certificate) -> None:
        """Do not care."""
