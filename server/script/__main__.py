"""python -m server.script: the command of the process that hosts a script."""

from server.script.host import main

if __name__ == "__main__":
    main()
