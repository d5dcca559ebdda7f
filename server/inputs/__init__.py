"""Inputs: what a request brings, from its bytes to the pictures and wishes in it, for all protocols."""
