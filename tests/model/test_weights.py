"""Starting weights: exact or refused, never a pickle, never the network."""

from __future__ import annotations

import json
import os
import pickle
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from lamina.errors import BundleError, DataError
from lamina.model import weights
from lamina.model.networks import Smp
from lamina.model.stems import Stem, adapt


class Canary:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.path}",)


def trained(network: nn.Module) -> dict[str, Tensor]:
    """Weights unlike any starting ones."""
    return {
        name: torch.full_like(value, (i % 97) / 97) if value.is_floating_point() else value + 5
        for i, (name, value) in enumerate(network.state_dict().items())
    }


def same(network: nn.Module, expected: dict[str, Tensor], prefix: str = "") -> bool:
    state = network.state_dict()
    return all(torch.equal(state[prefix + name], value) for name, value in expected.items())


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked of the network: noted, since an error would be swallowed by who asks."""
    noted: list[str] = []

    def note(name: str) -> Callable[..., object]:
        def refuse(*words: object, **_: object) -> object:
            noted.append(f"{name} {words[:1]}")
            raise OSError(f"{name} is not allowed in this test")

        return refuse

    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "create_connection"):
        monkeypatch.setattr(socket, name, note(name))
    monkeypatch.setattr(socket.socket, "connect", note("connect"))
    return noted


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, attempts: list[str]) -> Iterator[Path]:
    """An empty cache of the hub; whoever asks the network for anything fails the test."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("LAMINA_ONLINE", raising=False)
    yield tmp_path / "hub"
    assert attempts == []


def in_cache(hub: Path, repo: str, revision: str, tensors: dict[str, Tensor]) -> Path:
    """Lay a file into the hub's cache as a download would."""
    folder = hub / f"models--{repo.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(revision)
    file = folder / "snapshots" / revision / "model.safetensors"
    file.parent.mkdir(parents=True)
    save_file(tensors, file)
    return file


def test_a_whole_network_comes_back_exactly(tmp_path: Path) -> None:
    expected = trained(Smp().build(2, 3))
    save_file(expected, tmp_path / "w.safetensors")
    network = Smp(weights=str(tmp_path / "w.safetensors"), dropout=0.1).build(2, 3)
    assert same(network, expected)


def test_an_encoder_alone_is_taken_with_its_classifier_left_out(tmp_path: Path) -> None:
    encoder = trained(Smp().build(3, 1).get_submodule("encoder"))
    save_file(encoder | {"fc.weight": torch.zeros(5, 512)}, tmp_path / "w.safetensors")
    network = Smp(weights=str(tmp_path / "w.safetensors")).build(3, 4)
    assert same(network, encoder, "encoder.")


@pytest.mark.parametrize("inputs", [1, 2, 5])
@pytest.mark.parametrize("stem", ["sum", "mean", "r", "g", "b", "cyclic"])
def test_only_the_first_convolution_is_adapted_to_other_channels(inputs: int, stem: Stem) -> None:
    def network(channels: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(channels, 3, 3), nn.BatchNorm2d(3), nn.Conv2d(3, 3, 1))

    expected = trained(network(3))
    expected["0.weight"] += torch.tensor([0.0, 1.0, 5.0]).view(1, 3, 1, 1)
    found = network(inputs)
    weights.fit(found, expected, inputs=inputs, stem=stem, source="here")
    expected["0.weight"] = adapt(expected["0.weight"], inputs, stem)
    assert same(found, expected)


@pytest.mark.parametrize(("stem", "planes"), [("bgr", [2, 1, 0]), ("r", [0, 0, 0])])
def test_planes_are_those_of_the_letters_for_three_channels_too(
    tmp_path: Path, stem: Stem, planes: list[int]
) -> None:
    """STEEL-10: several letters name the planes of as many channels, three among them."""
    path = tmp_path / "w.safetensors"
    encoder = trained(Smp().build(3, 1).get_submodule("encoder"))
    save_file(encoder, path)
    found = Smp(weights=str(path), stem=stem).build(3, 1)
    assert same(found, encoder | {"conv1.weight": encoder["conv1.weight"][:, planes]}, "encoder.")
    save_file(found.state_dict(), path)  # a network of this recipe's own is loaded as it is
    assert same(Smp(weights=str(path), stem=stem).build(3, 1), found.state_dict())


def test_weights_that_do_not_fit_are_counted_and_named(tmp_path: Path) -> None:
    """W05."""
    tensors = trained(Smp().build(3, 1))
    del tensors["decoder.blocks.0.conv1.0.weight"]
    tensors["decoder.new"] = torch.zeros(1)
    tensors["segmentation_head.0.weight"] = torch.zeros(7, 16, 3, 3)
    save_file(tensors, tmp_path / "w.safetensors")
    with pytest.raises(BundleError) as caught:
        Smp(weights=str(tmp_path / "w.safetensors")).build(3, 1)
    first, *table = str(caught.value).splitlines()
    assert "w.safetensors: these weights belong to another network" in first
    assert [line.split(maxsplit=2)[:2] for line in table[:2]] == [["missing", "1"], ["extra", "1"]]
    assert "decoder.blocks.0.conv1.0.weight" in table[0]
    assert "decoder.new" in table[1]
    assert "segmentation_head.0.weight (7, 16, 3, 3) for (1, 16, 3, 3)" in table[2]


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_is_refused_and_never_opened(tmp_path: Path, name: str, zipped: bool) -> None:
    """W01, W02."""
    canary, path = tmp_path / "canary", tmp_path / name
    if zipped:
        torch.save(Canary(canary), path)
    else:
        path.write_bytes(pickle.dumps(Canary(canary)))
    with pytest.raises(BundleError, match="pickle"):
        Smp(weights=str(path)).build(3, 1)
    assert not canary.exists()


def test_a_pickle_inside_the_metadata_is_only_text(tmp_path: Path) -> None:
    """W03."""
    canary = tmp_path / "canary"
    text = pickle.dumps(Canary(canary), protocol=0).decode("ascii")
    save_file({"a": torch.ones(2)}, tmp_path / "w.safetensors", metadata={"note": text})
    assert weights.read(tmp_path / "w.safetensors")["a"].tolist() == [1, 1]
    assert not canary.exists()


@pytest.mark.parametrize("cut", [0, 5, 30, 200, -1])
def test_a_damaged_file_is_refused(tmp_path: Path, cut: int) -> None:
    """W04."""
    path = tmp_path / "w.safetensors"
    save_file({"a": torch.ones(99), "b": torch.zeros(3)}, path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(BundleError, match="not a whole safetensors file"):
        weights.read(path)


def test_values_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    """W04."""
    save_file({"a": torch.tensor([1.0, float("nan")])}, tmp_path / "w.safetensors")
    with pytest.raises(BundleError, match="'a' holds values that are not finite"):
        weights.read(tmp_path / "w.safetensors")


def test_a_missing_file_or_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="cannot be read"):
        Smp(weights=str(tmp_path / "none.safetensors")).build(3, 1)
    with pytest.raises(BundleError, match="cannot be read"):
        Smp(weights=str(tmp_path)).build(3, 1)


@pytest.mark.parametrize(
    ("encoder", "repo"),
    [("resnet18", "smp-hub/resnet18.imagenet"), ("mobilenetv3_small_050", "lamb_in1k")],
)
def test_offline_a_missing_file_is_one_clear_error(offline: Path, encoder: str, repo: str) -> None:
    assert not offline.exists()
    with pytest.raises(BundleError) as caught:
        Smp(encoder=encoder, weights="imagenet").build(3, 1)
    message = str(caught.value)
    assert message.count("\n") == 0
    for word in (encoder, repo, "model.safetensors", "--online", "LAMINA_ONLINE=1", "none"):
        assert word in message


def test_an_encoder_without_imagenet_weights_says_so(offline: Path) -> None:
    with pytest.raises(BundleError, match="no published imagenet weights"):
        Smp(encoder="dpn68b", weights="imagenet").build(3, 1)


def test_offline_imagenet_weights_come_from_the_cache(offline: Path) -> None:
    from segmentation_models_pytorch.encoders import encoders

    settings = encoders["resnet18"]["pretrained_settings"]["imagenet"]
    expected = trained(Smp().build(3, 1).get_submodule("encoder"))
    published = expected | {"fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}
    in_cache(offline, settings["repo_id"], settings["revision"], published)
    network = Smp(weights="imagenet", stem="b").build(1, 2)
    expected["conv1.weight"] = expected["conv1.weight"][:, 2:]
    assert same(network, expected, "encoder.")


def test_offline_timm_weights_come_from_the_cache_and_others_are_refused(offline: Path) -> None:
    import timm

    published = trained(timm.create_model("mobilenetv3_small_050"))
    file = in_cache(offline, "timm/mobilenetv3_small_050.lamb_in1k", "0" * 40, published)
    option = Smp(encoder="mobilenetv3_small_050", weights="imagenet")
    network = option.build(1, 2)
    stem = network.state_dict()["encoder.model.conv_stem.weight"]
    assert torch.equal(stem, adapt(published["conv_stem.weight"], 1, "sum"))
    deep = network.state_dict()["encoder.model.blocks.3.0.conv_pw.weight"]
    assert torch.equal(deep, published["blocks.3.0.conv_pw.weight"])
    by_path = option.model_copy(update={"weights": str(file)}).build(1, 2)
    assert same(by_path.get_submodule("encoder"), network.get_submodule("encoder").state_dict())

    save_file({"a": torch.zeros(1)}, file)
    with pytest.raises(BundleError, match="only 0 of"):
        option.build(1, 2)


def test_a_pickle_in_the_cache_is_refused(offline: Path) -> None:
    file = in_cache(offline, "timm/mobilenetv3_small_050.lamb_in1k", "0" * 40, {})
    torch.save({"a": torch.zeros(1)}, file)
    with pytest.raises(BundleError, match="pickle"):
        Smp(encoder="mobilenetv3_small_050", weights="imagenet").build(1, 2)


@pytest.mark.parametrize("how", ["option", "environment"])
def test_trust_1_with_leave_the_network_is_asked_and_its_refusal_is_one_message(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, attempts: list[str], how: str
) -> None:
    """TRUST-1, R6: this shows that ``attempts`` sees who asks, whatever they swallow."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # between the hub's own retries
    monkeypatch.setenv("LAMINA_ONLINE", "1" if how == "environment" else "0")
    with (
        weights.downloads(allowed=how == "option"),
        pytest.raises(BundleError, match="'resnet18' could not be fetched from smp-hub") as caught,
    ):
        Smp(weights="imagenet").build(3, 1)
    assert attempts
    assert "\n" not in str(caught.value)


def test_trust_10_a_file_of_very_many_tensors_is_refused_by_its_header(tmp_path: Path) -> None:
    """TRUST-10, W04: a list of tensors of no bytes, and a header longer than any network's."""
    path = tmp_path / "w.safetensors"
    entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    header = json.dumps({f"t{n}": entry for n in range(20_001)}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(BundleError, match=r"lists 20001 tensors; at most 20000 are read"):
        weights.read(path)
    path.write_bytes(struct.pack("<Q", 11 * 2**20) + b" " * (11 * 2**20))
    with pytest.raises(BundleError, match=r"header of 11534336 bytes; at most 10485760"):
        weights.read(path)
    path.write_bytes(struct.pack("<Q", 2) + b"[]")
    with pytest.raises(BundleError, match=r"not a safetensors file, its header is no JSON object"):
        weights.read(path)


def test_trust_3_a_pipe_given_as_weights_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "w.safetensors")
    with pytest.raises(DataError, match="is a pipe and no regular file"):
        weights.read(tmp_path / "w.safetensors")


def test_only_the_environment_or_the_call_allows_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAMINA_ONLINE", raising=False)
    assert not weights.online()
    with weights.downloads(allowed=True):
        assert weights.online()
        with weights.downloads(allowed=False):
            assert weights.online()
    with weights.downloads(allowed=False):
        assert not weights.online()
    for value, expected in (("1", True), ("0", False), ("", False)):
        monkeypatch.setenv("LAMINA_ONLINE", value)
        assert weights.online() is expected
