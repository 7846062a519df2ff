import hashlib
import subprocess
import sys

import numpy as np
import pytest

from traunet.records import provenance
from traunet.records.provenance import code_hash, file_sha256, versions
from traunet.workspace import PROJECT


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A small package: top imports middle and (relatively) side; middle imports inner.bottom; other is alone."""
    files = {
        "__init__.py": "",
        "records/provenance.py": "",
        "top.py": "import numpy\nimport traunet.middle\ndef g():\n    from . import side\n    return side\n",
        "middle.py": '"""Doc."""\nfrom traunet.inner import bottom\nX = "# none"\ndef f():\n    """Doc."""\n',
        "side.py": "Y = 1\n",
        "inner/__init__.py": "",
        "inner/bottom.py": "Z = 1\n",
        "other.py": "W = 1\n",
    }
    for name, text in files.items():
        path = tmp_path / "traunet" / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "traunet" / "records" / "provenance.py"))
    return tmp_path / "traunet"


def edited(path, old: str, new: str) -> str:
    """The hash of `top` after one edit."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return code_hash(["traunet.top"])


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("top.py", "return side", "return 1"),
        ("middle.py", "# none", "# another"),
        ("side.py", "Y = 1", "Y = 2"),
        ("inner/bottom.py", "Z = 1", "Z = 2"),
    ],
)
def test_a_change_in_any_module_that_is_imported_changes_the_hash(library, name, old, new):
    before = code_hash(["traunet.top"])
    assert edited(library / name, old, new) != before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("other.py", "W = 1", "W = 2"),
        ("middle.py", '"""Doc."""', '"""Another text,\n    on two lines."""'),
        ("side.py", "Y = 1", "# why\nY = 1  # because\n"),
    ],
)
def test_comments_docstrings_and_modules_not_imported_do_not_count(library, name, old, new):
    before = code_hash(["traunet.top"])
    assert edited(library / name, old, new) == before


def test_a_module_left_out_does_not_count(library):
    before = code_hash(["traunet.top"], without=["traunet.side"])
    (library / "side.py").write_text("Y = 2\n")
    assert code_hash(["traunet.top"], without=["traunet.side"]) == before


def test_the_hash_hangs_on_no_locale():
    ask = (
        "from traunet.records import provenance; print(provenance.code_hash(['traunet.training', 'traunet.keys']))"
    )
    narrow = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONPATH": str(PROJECT)}
    told = subprocess.run([sys.executable, "-c", ask], env=narrow, capture_output=True, text=True, check=False)
    assert told.stdout.strip() == code_hash(["traunet.training", "traunet.keys"]), told.stderr


def test_an_unknown_module_is_an_error(library):
    with pytest.raises(ValueError, match=r"traunet\.tpo"):
        code_hash(["traunet.tpo"])


def test_the_training_code_includes_the_network_and_the_folds_and_no_report():
    found = set(provenance._closure(["traunet.training"]))
    assert {"traunet.model.blocks", "traunet.model.tranet", "traunet.data.folds", "traunet.metrics"} <= found
    assert not {"traunet.report", "traunet.runs", "traunet.cli"} & found


def test_the_hash_of_a_file_is_its_sha256(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    assert file_sha256(tmp_path / "file") == hashlib.sha256(b"abc").hexdigest()


def test_versions_tell_no_builds_apart():
    assert all("+" not in version for version in versions().values())
    assert versions(["numpy"]) == {"numpy": np.__version__}
