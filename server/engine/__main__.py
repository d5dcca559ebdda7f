"""python -m server.engine: runs an engine process, or with --check a dry run."""

import sys

from models.networks.torchvision_import import import_torchvision

CHECK = "--check"


def main() -> None:
    """Run one engine, or one dry run."""
    import_torchvision()
    if CHECK in sys.argv[1:]:
        from server.engine.startup import check  # imports torchvision in turn, as `process` does

        check.main()
    else:
        from server.engine import process

        process.main()


if __name__ == "__main__":
    main()
