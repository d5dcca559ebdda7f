"""The regions of XRAI: segments an image, and ranks its regions by attribution. On CPU threads, without PyTorch."""
