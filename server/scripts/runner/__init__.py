"""Code that runs in the process of a user's script.

It imports only the standard library, server.ipc.raw_http and server.ipc.frame. It may run in another Python than the
server, from 3.10 on, and hides its modules from the script; see start.py.
"""
