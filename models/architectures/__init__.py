"""One file per family of networks, each with a constant FAMILY. Adding a family is adding a file."""
