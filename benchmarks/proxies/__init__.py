"""Real proxies before the server, and how many of its refusals they lose."""
