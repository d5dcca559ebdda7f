"""The built-in demo: drawn pictures of four kinds of object found in a fridge, and a model trained on them."""
