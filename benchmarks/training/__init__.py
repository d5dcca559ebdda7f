"""How fast training is, beside other ways to train the same network on the same images."""
