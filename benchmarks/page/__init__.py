"""What the page at /ui costs, measured in a browser."""
