"""One file per kind of demo model, named like the task it trains for."""
