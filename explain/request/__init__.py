"""What a client may ask of an explanation: the parameters, their types and defaults, and the targets to explain.

The HTTP process imports all of it but `targets`, so nothing else here imports PyTorch.
"""
