"""python -m server.api: the command of an HTTP process."""

from server.api.process import main

if __name__ == "__main__":
    main()
