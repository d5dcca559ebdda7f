"""python -m server.scripts: runs the process of a script."""

from server.scripts.process import main

if __name__ == "__main__":
    main()
