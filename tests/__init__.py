"""The tests of Quorate. Start with test_tidy.py, which says how the house is kept."""
