"""What runs in the process of a user's script. Imports the standard library, server.ipc.raw_http and server.ipc.frame.

It may run in another Python than the server, from 3.10 on, and leaves the script nothing to trip over: see start.py.
"""
