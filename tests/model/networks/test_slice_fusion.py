"""Windows of slices through one network, batch and windows merged, and one answer of all."""

from __future__ import annotations

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn

from lamina.errors import RecipeError
from lamina.model.networks import AnyNetwork, SliceFusion, Smp
from lamina.model.optimization.optimizers import AdamW

SMALL = Smp(encoder="mobilenetv3_small_050", decoder={"decoder_channels": [16, 8, 8, 8, 8]})


def build(inputs: int = 18, outputs: int = 1, **options: object) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        option = SliceFusion.model_validate({"network": SMALL, **options})
        return option.build(inputs, outputs).eval()


def alone(fusion: nn.Module, inputs: int, outputs: int) -> nn.Module:
    """The network of the windows by itself, with the weights it has in the fusion."""
    plain = SMALL.build(inputs, outputs).eval()
    weights = {k: v for k, v in fusion.state_dict().items() if not k.startswith("aggregate.")}
    plain.load_state_dict(weights)
    return plain


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_six_windows_of_three_slices_go_through_one_network_and_one_1x1_convolution(
    layout: torch.memory_format,
) -> None:
    """INK-16: six windows of 3 slices (step 3), and one 1x1 conv 6 to 1 with bias."""
    network = build()
    convolution = network.get_submodule("aggregate.conv")
    assert isinstance(convolution, nn.Conv2d)
    assert convolution.weight.shape == (1, 6, 1, 1)
    assert convolution.bias is not None
    nn.init.normal_(convolution.weight)
    nn.init.constant_(convolution.bias, 0.3)
    image, plain = noise(2, 18, 32, 64).contiguous(memory_format=layout), alone(network, 3, 1)
    with torch.inference_mode():
        maps = [plain(image[:, 3 * n : 3 * n + 3]) for n in range(6)]
        expected = sum(m * w for m, w in zip(maps, convolution.weight.flatten(), strict=True)) + 0.3
        torch.testing.assert_close(network(image), expected, rtol=1e-4, atol=1e-5)


def test_batch_and_windows_are_one_batch_of_the_network() -> None:
    """INK-16: batch and windows merged."""
    network, seen = build(), []
    network.get_submodule("encoder").register_forward_hook(
        lambda module, args, maps: seen.append(args[0].shape)
    )
    with torch.inference_mode():
        assert network(noise(2, 18, 32, 32)).shape == (2, 1, 32, 32)
    assert seen == [(12, 3, 32, 32)]


def test_windows_may_overlap_and_outputs_have_weights_of_their_own() -> None:
    network = build(inputs=9, outputs=2, window=5, step=2)
    convolution = network.get_submodule("aggregate.conv")
    assert isinstance(convolution, nn.Conv2d)
    assert convolution.weight.shape == (2, 3, 1, 1)
    nn.init.normal_(convolution.weight)
    image, plain = noise(1, 9, 32, 32), alone(network, 5, 2)
    with torch.inference_mode():
        maps = torch.stack([plain(image[:, a : a + 5]) for a in (0, 2, 4)], 1)
        for k in range(2):
            expected = (maps[:, :, k] * convolution.weight[k]).sum(1)
            torch.testing.assert_close(network(image)[:, k], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("aggregate", ["conv", "mean"])
def test_it_starts_as_the_mean_of_the_windows(aggregate: str) -> None:
    network, image = build(aggregate=aggregate), noise(1, 18, 32, 32)
    plain = alone(network, 3, 1)
    with torch.inference_mode():
        expected = torch.stack([plain(image[:, a : a + 3]) for a in range(0, 18, 3)]).mean(0)
        torch.testing.assert_close(network(image), expected, rtol=1e-4, atol=1e-5)


def test_the_greatest_logit_of_the_windows_may_win() -> None:
    network, image = build(aggregate="max"), noise(1, 18, 32, 32)
    plain = alone(network, 3, 1)
    with torch.inference_mode():
        maps = torch.stack([plain(image[:, a : a + 3]) for a in range(0, 18, 3)])
        torch.testing.assert_close(network(image), maps.amax(0), rtol=1e-4, atol=1e-5)


def test_attention_weighs_windows_by_scores_that_the_network_answers() -> None:
    network, image = build(inputs=6, outputs=2, aggregate="attention"), noise(1, 6, 32, 32)
    plain = alone(network, 3, 4)
    with torch.inference_mode():
        one, two = plain(image[:, :3]), plain(image[:, 3:])
        share = (one[:, 2:] - two[:, 2:]).sigmoid()  # a softmax of two
        expected = share * one[:, :2] + (1 - share) * two[:, :2]
        torch.testing.assert_close(network(image), expected, rtol=1e-4, atol=1e-5)


def test_all_parameters_are_trained_once_and_the_encoder_is_a_group() -> None:
    network = build().train()
    groups = {group["name"]: group["params"] for group in AdamW().groups(network)}
    grouped = [id(p) for members in groups.values() for p in members]
    assert sorted(grouped) == sorted(map(id, network.parameters()))
    encoder = network.get_submodule("encoder").parameters()
    told = groups["encoder_weights"] + groups["encoder_biases"]
    assert {id(p) for p in encoder} == {id(p) for p in told}
    network(noise(2, 18, 32, 32)).sum().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_without_starting_weights_the_network_in_it_has_none_either() -> None:
    """A bundle and a resumed run bring weights of their own, and ask for no others."""
    option = SliceFusion(network=Smp(weights="imagenet"), weights="all.safetensors")
    assert option.untrained() == SliceFusion()
    option.untrained().build(3, 1)


def test_a_window_network_may_see_a_smaller_copy() -> None:
    network = build(network=SMALL.model_copy(update={"shrink": 2}))
    with torch.no_grad():
        assert network(noise(1, 18, 64, 64)).shape == (1, 1, 64, 64)
        assert network.train()(noise(2, 18, 64, 64)).shape == (2, 1, 32, 32)


@pytest.mark.parametrize(
    ("inputs", "options", "message"),
    [
        (16, {}, "16 slices; windows have to end .* can see 3, 6, 9"),
        (2, {}, "2 slices"),
        (18, {"window": 4, "step": 4}, "18 slices"),
    ],
)
def test_windows_that_do_not_end_with_the_last_slice_are_refused(
    inputs: int, options: dict[str, object], message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        build(inputs, 1, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"residual": True}, "residual is true"),
        ({"network": {"kind": "unet", "residual": True}}, r"network\.residual is true"),
        ({"network": {"kind": "unet", "activation": "sigmoid"}}, r"network\.activation"),
        ({"network": {"kind": "dncnn"}}, "kind"),
        ({"step": 0}, "greater than or equal to 1"),
    ],
)
def test_what_is_for_values_of_one_image_is_refused(
    options: dict[str, object], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        SliceFusion.model_validate(options)


def test_it_survives_json_and_its_network_is_a_unet_unless_told_otherwise() -> None:
    adapter = TypeAdapter(AnyNetwork)
    option = adapter.validate_python(
        {"kind": "slice_fusion", "network": {"encoder": "resnet34", "weights": "imagenet"}}
    )
    assert isinstance(option, SliceFusion)
    assert option.network == Smp(encoder="resnet34", weights="imagenet")
    assert adapter.validate_json(adapter.dump_json(option), strict=True) == option
    assert (option.multiple, option.encoded, option.windows(18)) == (32, True, 6)
