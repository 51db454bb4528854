"""Black-76 in fixed point: price, implied volatility and greeks, within stated errors."""
