"""One file per kind of demo model, named after its task."""
