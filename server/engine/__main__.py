"""python -m server.engine: the command of an engine process."""

from models.networks.torchvision_import import import_torchvision


def main() -> None:
    """Run one engine."""
    import_torchvision()
    from server.engine import process  # which imports torchvision in turn

    process.main()


if __name__ == "__main__":
    main()
