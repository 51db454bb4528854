"""The engine cometbft: CometBFT orders, and this node executes what it has ordered, over ABCI."""
