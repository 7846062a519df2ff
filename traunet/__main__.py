"""`python -m traunet` is `traunet`."""

from traunet.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
