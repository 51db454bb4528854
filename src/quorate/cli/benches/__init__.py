"""Measurements of `quorate bench`, one module a subject. Each yields `Figure`s."""
