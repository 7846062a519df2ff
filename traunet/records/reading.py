"""JSON that may come from elsewhere."""

import json
from pathlib import Path
from typing import Any


def json_of(file: Path) -> Any:
    """What a JSON file holds; ValueError if that cannot be read, be it for brackets nested without end."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError("its brackets are nested without end") from None
