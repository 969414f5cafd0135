"""Files of tensors."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save

from lamina.errors import ResourceError
from lamina.training.saving.tensor_file import save_tensors


def test_a_file_holds_what_the_library_makes_of_the_tensors(tmp_path: Path) -> None:
    torch.manual_seed(0)
    tensors = {
        "a": torch.randn(3, 5),
        "turned": torch.randn(4, 6).T,
        "half": torch.randn(7).bfloat16(),
        "count": torch.tensor(3),
        "learns": torch.randn(2, requires_grad=True),
    }
    path = tmp_path / "deep" / "x.safetensors"
    sha256 = save_tensors(path, tensors)
    whole = save({name: value.detach().contiguous() for name, value in tensors.items()})
    assert path.read_bytes() == whole
    assert sha256 == hashlib.sha256(whole).hexdigest()
    assert [one.name for one in path.parent.iterdir()] == ["x.safetensors"]


def test_tensors_are_not_copied(tmp_path: Path) -> None:
    code = """
import resource, sys
from pathlib import Path
import torch
from lamina.training.saving.tensor_file import save_tensors
def most(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
place = Path(sys.argv[1])
save_tensors(place / "small.safetensors", {"a": torch.zeros(1)})
tensors = {str(n): torch.ones(2**20) for n in range(64)}
before = most()
save_tensors(place / "large.safetensors", tensors)
print(most() - before)
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    unit = 1 if sys.platform == "darwin" else 2**10
    assert (tmp_path / "large.safetensors").stat().st_size > 2**28
    assert int(done.stdout) * unit < 2**26  # of 256 MiB


@pytest.mark.skipif(sys.platform == "win32", reason="files have no limit of size there")
def test_a_disk_that_takes_no_more_is_named_and_the_earlier_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_tensors(path, {"a": torch.zeros(1)})
    before = path.read_bytes()
    code = """
import resource, sys
from pathlib import Path
import torch
from lamina.errors import ResourceError
from lamina.training.saving.tensor_file import save_tensors
resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
try:
    save_tensors(Path(sys.argv[1]), {"a": torch.zeros(2**20)})
except ResourceError as error:
    print(error)
"""
    command = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert str(path) in done.stdout
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["x.safetensors"]


def test_an_error_of_the_library_itself_is_not_taken_for_one_of_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise SafetensorError("Error while serializing: InvalidTensorView")

    monkeypatch.setattr("lamina.training.saving.tensor_file.save_file", refuse)
    with pytest.raises(SafetensorError, match=r"InvalidTensorView"):
        save_tensors(tmp_path / "x.safetensors", {"a": torch.zeros(1)})

    def full(*_: object) -> None:
        raise SafetensorError("Error: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("lamina.training.saving.tensor_file.save_file", full)
    with pytest.raises(ResourceError, match=r"x\.safetensors"):
        save_tensors(tmp_path / "x.safetensors", {"a": torch.zeros(1)})
