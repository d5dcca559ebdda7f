"""How good a network is: the numbers of the hosted service, and COCO's. NumPy and SciPy alone, no network."""
