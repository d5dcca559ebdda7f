"""One file per family of networks, each with its part of training as `RECIPE`."""
