"""python -m benchmarks.data: what it takes to check labelled images."""

from benchmarks.data.checks import main

if __name__ == "__main__":
    main()
