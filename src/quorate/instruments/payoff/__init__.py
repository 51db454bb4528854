"""The payoff language: its compiler, the checker that stands before it, and the machine."""
