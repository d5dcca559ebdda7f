"""python -m server.scripts: the command of the process that hosts a script."""

from server.scripts.process import main

if __name__ == "__main__":
    main()
