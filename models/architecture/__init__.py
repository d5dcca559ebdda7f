"""What the product knows of a family of networks, and how a family is found by its name."""
