"""The built-in demo: drawn images of four kinds of object from a fridge, and models trained on them."""
