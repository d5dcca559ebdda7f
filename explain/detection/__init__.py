"""How a box or a mask of a detector is explained: which numbers of the network stand for it, and what they depend on.

A target is fixed before anything is masked or interpolated: finding it anew for every changed image would compare the
numbers of different objects.
"""
