"""Every architecture keeps the size, and every parameter is trained exactly once."""

from __future__ import annotations

import subprocess
import sys
from typing import get_args

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import nn

from lamina.errors import RecipeError
from lamina.model.networks import AnyNetwork, Smp
from lamina.model.optimization.optimizers import AdamW

KINDS = get_args(Smp.model_fields["kind"].annotation)


def build(inputs: int = 1, outputs: int = 2, **options: object) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Smp.model_validate(options).build(inputs, outputs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("encoder", "inputs"), [("resnet18", 1), ("mobilenetv3_small_050", 4)])
def test_the_answer_is_as_big_as_the_image_and_nothing_is_left_out_of_the_optimiser(
    kind: str, encoder: str, inputs: int
) -> None:
    network = build(inputs, 3, kind=kind, encoder=encoder).eval()
    multiple = Smp.model_validate({"kind": kind}).multiple
    size = (multiple, 2 * multiple)
    with torch.inference_mode():
        answer = network(torch.zeros(2, inputs, *size))
    assert answer.shape == (2, 3, *size)
    grouped = [p for group in AdamW().groups(network) for p in group["params"]]
    assert sorted(map(id, grouped)) == sorted(map(id, network.parameters()))
    names = {group["name"] for group in AdamW().groups(network)}
    assert names == {"encoder_weights", "encoder_biases", "decoder_weights", "decoder_biases"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("depth", [3, 4])
def test_a_shallow_encoder_needs_smaller_multiples(kind: str, depth: int) -> None:
    decoder: dict[str, object] = {"encoder_depth": depth}
    if kind in ("unet", "unet_plus_plus", "manet"):
        decoder["decoder_channels"] = [32, 16, 8, 8][:depth]
    options = {"kind": kind, "decoder": decoder, "encoder": "mobilenetv3_small_050"}
    multiple = Smp.model_validate(options).multiple
    assert multiple == (128 if kind == "pan" else 2**depth)
    network = build(**options).eval()
    with torch.inference_mode():
        answer = network(torch.zeros(1, 1, 3 * multiple, 5 * multiple))
    assert answer.shape == (1, 2, 3 * multiple, 5 * multiple)


@pytest.mark.parametrize("kind", ["deeplabv3", "deeplabv3_plus", "pspnet", "pan", "upernet"])
def test_a_batch_of_one_image_can_be_trained_on(kind: str) -> None:
    network = build(kind=kind, encoder="mobilenetv3_small_050").train()
    answer = network(torch.zeros(1, 1, 128, 128))
    answer.mean().backward()
    assert torch.isfinite(answer).all()


def test_answers_are_logits() -> None:
    network = build().eval()
    with torch.inference_mode():
        answer = network(torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(1)) * 9)
    assert answer.min() < 0
    assert not isinstance(network.get_submodule("segmentation_head")[-1], nn.Sigmoid)  # type: ignore[index]


def test_the_state_of_chance_decides_the_starting_weights() -> None:
    small = {"encoder": "mobilenetv3_small_050"}
    one, two = build(**small).state_dict(), build(**small).state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_dropout_drops_channels_in_training_and_keeps_names_and_answers() -> None:
    plain, dropped = build(dropout=0.0), build(dropout=0.5)
    assert plain.state_dict().keys() == dropped.state_dict().keys()
    image = torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        assert torch.equal(plain.eval()(image), dropped.eval()(image))
        head = dropped.get_submodule("segmentation_head").train()
        features = torch.ones(1, 16, 4, 4)
        assert not torch.equal(head(features), head(features))


def test_decoder_options_reach_the_architecture() -> None:
    network = build(kind="fpn", decoder={"decoder_merge_policy": "cat"})
    head = network.get_submodule("segmentation_head.0")
    assert isinstance(head, nn.Conv2d)
    assert head.in_channels == 512


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoder": "resnet81"}, "near are .*resnet18"),
        ({"encoder": "resnet18.nonsense"}, "no weights named 'nonsense'; it has .*a1_in1k"),
        ({"encoder": "hf-hub:someone/something"}, "neither"),
        ({"decoder": {"decoder_chanels": [1]}}, "did you mean 'decoder_channels'"),
        ({"kind": "linknet", "decoder": {"decoder_channels": [1]}}, "encoder_depth"),
        ({"decoder": {"aux_params": {"classes": 1}}}, "not an option of unet"),
        ({"decoder": {"classes": 7}}, "not an option of unet"),
        ({"kind": "fpn", "decoder": {"upsampling": 1}}, "not an option of fpn"),
        ({"decoder": {"decoder_channels": [8, 8]}}, "cannot be built"),
        ({"decoder": {"decoder_channels": 8}}, "cannot be built"),
        ({"kind": "linknet", "encoder": "mit_b0"}, "cannot be built"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(
    options: dict[str, object], message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        build(**options)


def test_an_unknown_architecture_is_refused() -> None:
    with pytest.raises(ValidationError, match="unet_plus_plus"):
        TypeAdapter(AnyNetwork).validate_python({"kind": "unet3"})


def test_a_network_survives_the_way_through_json() -> None:
    network = Smp(kind="manet", decoder={"decoder_channels": [8, 8], "decoder_use_norm": False})
    adapter = TypeAdapter(AnyNetwork)
    assert adapter.validate_json(adapter.dump_json(network)) == network


def test_naming_a_network_does_not_import_the_libraries() -> None:
    code = (
        "import sys; from lamina.model.networks import Smp; Smp(encoder='resnet34').multiple;"
        "print({'timm', 'segmentation_models_pytorch', 'torchvision'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
