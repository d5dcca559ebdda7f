"""What the product knows about a family of networks, how a family is found by name, and how a network is built."""
