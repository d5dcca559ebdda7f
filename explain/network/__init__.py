"""Forward and backward passes for explanations, in batches: the only package of `explain` that runs a network.

No pass changes a network: no hooks stay, and weights, gradients and modes are as before.
"""
