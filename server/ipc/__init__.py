"""The sockets and pipes between the processes of a server, and the messages that they exchange. No PyTorch."""
