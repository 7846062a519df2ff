"""`python -m traunet` is `traunet`."""

import sys
from contextlib import suppress
from pathlib import Path

if __name__ == "__main__":
    # `-m` looks for modules first where the user stands: perhaps in a data set from elsewhere, with a `torch.py`.
    with suppress(FileNotFoundError):  # of a current folder that is gone
        if Path(__file__).resolve().parent.parent != Path.cwd() == Path(sys.path[0]):
            del sys.path[0]
    from traunet.cli import main

    raise SystemExit(main())
