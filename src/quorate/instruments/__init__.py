"""Options and other products: their prices, payoffs, surfaces and margin, in integers alone."""
