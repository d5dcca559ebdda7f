"""Everything a client or an operator touches: the HTTP processes, the engine processes, and their supervisor.

May import all other packages; only server.engine may import torch.
"""
