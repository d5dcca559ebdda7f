"""Labelled images: their records, formats, faults, splits and pictures. No PyTorch.

Of our packages it imports `settings` and `models`, whose decoding and outlines it shares.
"""
