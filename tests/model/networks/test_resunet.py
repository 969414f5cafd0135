"""The residual U-Net against a plain copy of its layers, of two axes and of three."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn
from torch.nn import functional

from lamina.errors import OptionError
from lamina.model.networks import AnyNetwork, Resunet
from lamina.model.optimization.optimizers import AdamW

SMALL = Resunet(width=4, blocks=(1, 2, 1))
SIZES = {2: (16, 24), 3: (16, 16, 24)}


def build(option: Resunet, inputs: int = 1, outputs: int = 1) -> nn.Module:
    """Return the network with no weight at zero, so that every layer shows."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = option.build(inputs, outputs).eval()
        for parameter in network.parameters():
            nn.init.normal_(parameter, std=0.3)
    return network


def image(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def plain(state: dict[str, Tensor], x: Tensor, option: Resunet) -> list[Tensor]:
    """Return logits of every level on the way up, the finest first."""
    axes = x.ndim - 2
    conv = {2: functional.conv2d, 3: functional.conv3d}[axes]
    grow = {2: functional.conv_transpose2d, 3: functional.conv_transpose3d}[axes]
    pool = {2: functional.avg_pool2d, 3: functional.avg_pool3d}[axes]
    assert option.strides is not None
    assert option.blocks is not None

    def normed(name: str, x: Tensor, stride: tuple[int, ...] | int = 1) -> Tensor:
        weight = state[f"{name}.0.weight"]
        x = conv(x, weight, stride=stride, padding=[n // 2 for n in weight.shape[2:]])
        space = tuple(range(2, x.ndim))
        if f"{name}.1.running_mean" in state:
            mean, var = (state[f"{name}.1.running_{what}"] for what in ("mean", "var"))
            x = (x - mean.view(-1, *(1,) * axes)) / (var.view(-1, *(1,) * axes) + 1e-5).sqrt()
        else:
            channels = x.shape[1]
            each = (
                1
                if option.norm == "instance"
                else next(n for n in (8, 4, 2, 1) if channels % n == 0)
            )
            groups = x.unflatten(1, (channels // each, each))
            over = (2, *(axis + 1 for axis in space))
            mean = groups.mean(over, keepdim=True)
            var = groups.var(over, unbiased=False, keepdim=True)
            x = ((groups - mean) / (var + 1e-5).sqrt()).flatten(1, 2)
        factor, shift = state[f"{name}.1.weight"], state[f"{name}.1.bias"]
        return x * factor.view(-1, *(1,) * axes) + shift.view(-1, *(1,) * axes)

    def leaky(x: Tensor) -> Tensor:
        return torch.where(x > 0, x, 0.01 * x)

    x = leaky(normed("stem", x))
    skips = []
    for level, stride in enumerate(option.strides):
        for block in range(option.blocks[level]):
            step = stride if block == 0 else (1,) * axes
            inner = normed(
                f"down.{level}.{block}.two", leaky(normed(f"down.{level}.{block}.one", x, step))
            )
            skip = pool(x, step) if max(step) > 1 else x
            last = f"down.{level}.{block}.skip.{1 if max(step) > 1 else 0}"
            if f"{last}.weight" in state:
                skip = normed_skip(state, normed, last, skip)
            x = leaky(inner + skip)
        skips.append(x)
    x, maps = skips.pop(), []
    for number, stride in enumerate(option.strides[:0:-1]):
        up = grow(x, state[f"grow.{number}.weight"], state[f"grow.{number}.bias"], stride=stride)
        x = torch.cat([up, skips.pop()], 1)
        for convolution in range(option.convolutions):
            x = leaky(normed(f"up.{number}.{convolution}", x))
        maps.insert(0, x)
    return [
        conv(x, state[f"heads.{level}.weight"], state[f"heads.{level}.bias"])
        for level, x in enumerate(maps)
        if f"heads.{level}.weight" in state
    ]


def normed_skip(state, normed, last, skip):  # type: ignore[no-untyped-def]
    """Name a skip's convolution and norm as the others are named."""
    place, number = last.rsplit(".", 1)
    for key in list(state):
        if key.startswith(f"{place}.{int(number) + 1}."):
            state[f"{last}.1.{key.rsplit('.', 1)[1]}"] = state[key]
    state[f"{last}.0.weight"] = state[f"{last}.weight"]
    return normed(last, skip)


@pytest.mark.parametrize("axes", [2, 3])
@pytest.mark.parametrize("norm", ["group", "instance", "batch"])
def test_it_computes_a_u_of_residual_blocks(axes: int, norm: str) -> None:
    option = SMALL.model_copy(update={"norm": norm, "convolutions": 2}).suited(SIZES[axes])
    network = build(option, 2, 3)
    x = image(2, 2, *SIZES[axes])
    expected = plain(dict(network.state_dict()), x, option)
    assert expected[0].shape == (2, 3, *SIZES[axes])
    torch.testing.assert_close(network(x), expected[0], rtol=1e-3, atol=1e-4)


def test_levels_answer_in_training_alone() -> None:
    option = SMALL.model_copy(update={"supervision": True}).suited(SIZES[3])
    network = build(option, 1, 2)
    x = image(1, 1, *SIZES[3])
    answers = network.train()(x)
    expected = plain(dict(network.state_dict()), x, option)
    assert [answer.shape[2:] for answer in answers] == [(16, 16, 24), (8, 8, 12)]
    for answer, each in zip(answers, expected, strict=True):
        torch.testing.assert_close(answer, each, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(network.eval()(x), answers[0])  # instance norms: no other change


def test_anisotropic_levels_keep_the_size() -> None:
    option = Resunet(width=2, blocks=(1, 1, 1, 1), spacing=(50, 4.6, 4.6)).suited((8, 64, 64))
    assert option.strides == ((1, 1, 1), (1, 2, 2), (1, 2, 2), (1, 2, 2))
    assert option.multiples == (1, 8, 8)
    assert option.multiple == 8
    x = image(1, 1, 5, 64, 32)
    assert build(option)(x).shape == x.shape


def test_a_volume_of_one_slice_is_an_image() -> None:
    flat, deep = SMALL.suited((16, 24)), SMALL.suited((1, 16, 24))
    networks = []
    for option in (flat, deep):
        torch.manual_seed(3)
        networks.append(option.build(1, 2).eval())
    flat_state, deep_state = (network.state_dict() for network in networks)
    assert list(flat_state) == list(deep_state)
    for name, value in flat_state.items():
        assert torch.equal(value.flatten(), deep_state[name].flatten()), name
    x = image(2, 1, 16, 24)
    torch.testing.assert_close(networks[0](x), networks[1](x[:, :, None])[:, :, 0])


def test_widths_double_up_to_the_most_and_every_parameter_is_trained() -> None:
    option = Resunet(width=4, most=12, blocks=(1, 1, 1)).suited((32, 32))
    network = option.build(1, 1)
    widths = [network.get_parameter(f"down.{level}.0.two.0.weight").shape[0] for level in range(3)]
    assert widths == [4, 8, 12]
    grouped = [p for group in AdamW().groups(network) for p in group["params"]]
    assert sorted(map(id, grouped)) == sorted(map(id, network.parameters()))


def test_the_default_is_the_residual_encoder_of_nnunet() -> None:
    """Isensee et al. 2024: 1, 3, 4, 6, 6, 6 blocks, 32 to 320 channels, one convolution up."""
    option = Resunet().suited((128, 128, 128))
    assert option.blocks == (1, 3, 4, 6, 6, 6)
    by_level = [min(32 << level, 320) for level in range(6)]
    with torch.device("meta"):
        network = option.build(1, 2)
    expected = 27 * 32 + 2 * 32  # the stem
    for (before, after), blocks in zip(pairwise([32, *by_level]), option.blocks or (), strict=True):
        expected += 27 * (before * after + after * after) + 4 * after
        expected += (before * after + 2 * after) if before != after else 0
        expected += (blocks - 1) * (2 * 27 * after * after + 4 * after)
    for fine, coarse in pairwise(by_level):
        expected += 8 * coarse * fine + fine + 27 * 2 * fine * fine + 2 * fine
    expected += 32 * 2 + 2
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


def test_outputs_start_at_the_prior() -> None:
    option = SMALL.model_copy(update={"prior": 0.02, "supervision": True}).suited(SIZES[2])
    for head in option.build(1, 3).get_submodule("heads").children():
        assert torch.sigmoid(head.bias).tolist() == pytest.approx([0.02] * 3)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            {"blocks": [1, 1], "strides": [[1, 1]]},
            "different numbers of levels: blocks 2, strides 1",
        ),
        ({"strides": [[1, 1], [2, 2]], "kernels": [[3, 3, 3], [3, 3, 3]]}, "numbers of axes"),
        ({"strides": [[2, 2], [2, 2]]}, "begins with"),
        ({"kernels": [[3, 3], [2, 3]]}, "even side"),
        ({"supervision": True, "residual": True}, "leave one out"),
        ({"supervision": True, "activation": "sigmoid"}, "leave one out"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        TypeAdapter(AnyNetwork).validate_python({"kind": "resunet", **options}, strict=False)


@pytest.mark.parametrize(
    ("options", "size", "says"),
    [
        ({"strides": ((1, 1), (2, 2))}, (8, 8, 8), "strides is of 2 axes"),
        ({"spacing": (1.0, 1.0, 2.0)}, (8, 8), "spacing is of 3 axes"),
        ({"blocks": (1, 1, 1)}, (8, 8), "can be halved to 2"),
    ],
)
def test_options_that_do_not_suit_the_size_are_refused(
    options: dict[str, object], size: tuple[int, ...], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        Resunet().model_copy(update=options).suited(size)


def test_sizes_that_do_not_fit_are_told_from_those_that_do() -> None:
    option = SMALL.suited((16, 16, 16))
    assert option.unfit((16, 32, 48)) is None
    assert option.unfit((16, 18, 16)) == "needs multiples of 4"
    assert "at its last level" in str(option.unfit((8, 16, 16)))
    assert option.unfit((16, 16)) == "is of 3 axes"
    flat = Resunet(blocks=(1, 1), width=2, spacing=(9, 1, 1)).suited((2, 16, 16))
    assert flat.unfit((1, 16, 16)) is None  # an axis that is never halved may be short
    assert flat.unfit((3, 15, 16)) == "needs multiples of [1, 2, 2]"


def test_what_is_known_is_kept_for_other_sizes() -> None:
    option = SMALL.suited((16, 16, 16))
    assert option.suited((64, 64, 64)) == option


def test_an_option_survives_json() -> None:
    adapter = TypeAdapter(AnyNetwork)
    for option in (SMALL, SMALL.suited((16, 16, 16))):
        assert adapter.validate_json(adapter.dump_json(option), strict=True) == option


def test_shrunk_it_has_the_levels_of_the_smaller_input() -> None:
    option = Resunet(width=4, blocks=(1, 1, 1, 1), spacing=(10, 1, 1), shrink=(1, 2, 2))
    suited = option.suited((8, 64, 96))
    halved = option.model_copy(update={"shrink": None, "spacing": (10, 2, 2)}).suited((8, 32, 48))
    assert (suited.strides, suited.kernels) == (halved.strides, halved.kernels)
    assert suited.multiples == tuple(
        m * n for m, n in zip(halved.multiples, (1, 2, 2), strict=True)
    )
    network = build(suited)
    small = build(halved)
    x = image(1, 1, 8, 64, 96)
    with torch.inference_mode():
        assert network(x).shape == x.shape
        wanted = small.train()(functional.avg_pool3d(x, (1, 2, 2)))
        torch.testing.assert_close(network.train()(x), wanted)


def test_supervised_and_shrunk_it_learns_at_every_smaller_size() -> None:
    option = Resunet(width=4, blocks=(1, 1, 1), supervision=True, shrink=(2, 2)).suited((32, 64))
    found = build(option).train()(image(1, 1, 32, 64))
    assert [tuple(logits.shape[2:]) for logits in found] == [(16, 32), (8, 16)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shrink": (1, 2)}, "network.shrink is of 2 axes"),
        ({"shrink": (1, 4, 4), "blocks": (1,) * 6}, r"divided by shrink \[1, 4, 4\]"),
    ],
)
def test_what_cannot_be_shrunk_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SMALL.model_copy(update=changes).suited((16, 32, 32))


def test_noise_is_not_found_in_means() -> None:
    with pytest.raises(OptionError, match="noise cannot be found"):
        Resunet(residual=True, shrink=(2, 2))
