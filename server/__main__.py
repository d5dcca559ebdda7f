"""python -m server: the same as the command `sightglass serve`."""

import sys

from server.command import main

if __name__ == "__main__":
    sys.exit(main(["serve", *sys.argv[1:]], prog="python -m server"))
