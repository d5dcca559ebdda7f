"""Model folders: where their files lie, what they say, and the registry that holds them."""
