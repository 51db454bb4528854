"""The volatility surface: a smile for each expiry, shown to be free of arbitrage."""
