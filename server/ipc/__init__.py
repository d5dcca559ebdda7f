"""Sockets and pipes between the processes of a server, and the messages on them. Imports no PyTorch."""
