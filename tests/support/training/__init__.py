"""Small data and networks that tests train with."""
