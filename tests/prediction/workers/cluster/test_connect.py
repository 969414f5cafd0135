"""What --cluster names: refused where it is not safe, and the jobs that Slurm is asked for."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path

import pytest

from lamina.errors import RecipeError
from lamina.prediction.folder.contents import holds_others
from lamina.prediction.workers.cluster.connect import connected, read_slurm, slurm_cluster

SLURM = """\
kind: slurm
workers: 2
walltime: "02:00:00"
memory: 64G
directives: ["--gres=gpu:1"]
"""


def test_a_scheduler_without_encryption_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(RecipeError, match=r"can run code as you.*--insecure-cluster"),
        connected("tcp://127.0.0.1:1", tmp_path, insecure=False),
    ):
        pass
    with (
        pytest.raises(RecipeError, match="address of a Dask scheduler"),
        connected("somewhere", tmp_path, insecure=True),
    ):
        pass


def test_a_file_for_slurm_is_checked_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "slurm.yaml"
    path.write_text(SLURM)
    slurm = read_slurm(path)
    assert (slurm.workers, slurm.cores, slurm.lifetime) == (2, 1, 2 * 3600 - 15 * 60)
    path.write_text(SLURM.replace("64G", "lots").replace("workers", "worker"))
    with pytest.raises(RecipeError, match=r"slurm\.yaml:2.*worker") as caught:
        read_slurm(path)
    assert "write a number with M, G or T" in str(caught.value)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_job_of_slurm_has_one_worker_of_one_thread_and_a_key(tmp_path: Path) -> None:
    """Also while another scheduler has the port that Dask takes by itself."""
    path = tmp_path / "slurm.yaml"
    path.write_text(SLURM)
    out = tmp_path / "pred"
    out.mkdir()
    with socket.socket() as other:
        with suppress(OSError):  # it is taken already
            other.bind(("", 8787))
            other.listen()
        jobs = slurm_cluster(read_slurm(path), "lamina-pred", out)
        try:
            script = jobs.job_script()
        finally:
            jobs.close()
    for line in ("-J lamina-pred", "--mem=64G", "-t 02:00:00", "--gres=gpu:1"):
        assert f"#SBATCH {line}\n" in script
    for words in ("tls://", "--nthreads 1 ", "--lifetime 6300s", "--tls-key", "PAUSE=False"):
        assert words in script
    assert not holds_others(out)
