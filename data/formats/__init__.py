"""One file per format, each with its reader and writer as `FORMAT`."""
