"""Networks of MONAI: built from its own options, or refused by a true reason."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from safetensors.torch import load_file, save_file

from lamina.errors import RecipeError
from lamina.model.networks import AnyNetwork, Monai

monai = pytest.importorskip("monai")

SMALL = {
    "dynunet": {"filters": [4, 8, 8]},
    "segresnet": {"init_filters": 8, "blocks_down": [1, 1, 1], "blocks_up": [1, 1]},
    "swinunetr": {"feature_size": 12},
}


@pytest.mark.parametrize("axes", [2, 3])
@pytest.mark.parametrize("kind", SMALL)
def test_the_answer_is_as_big_as_the_input(kind: str, axes: int) -> None:
    option = Monai.model_validate({"kind": kind, "options": SMALL[kind]})
    size = {2: (64, 64), 3: (32, 32, 64)}[axes] if kind == "swinunetr" else (16, 16, 32)[:axes]
    option = option.suited(size)
    assert option.unfit(size) is None
    assert option.spatial_dims == axes
    option.check(2, 3)
    network = option.build(2, 3).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 2, *size)).shape == (1, 3, *size)


def test_dynunet_is_the_library_s_with_our_strides() -> None:
    option = Monai(options={"filters": [4, 8, 8]}).suited((8, 32, 32), (10.0, 1.0, 1.0))
    assert option.options["strides"] == [[1, 1, 1], [1, 2, 2], [1, 2, 2]]
    assert option.options["kernel_size"] == [[1, 3, 3], [1, 3, 3], [1, 3, 3]]
    assert option.multiples == (1, 4, 4)
    torch.manual_seed(0)
    mine = option.build(1, 2).eval()
    torch.manual_seed(0)
    own = monai.networks.nets.DynUNet(
        3,
        1,
        2,
        strides=[1, [1, 2, 2], [1, 2, 2]],
        kernel_size=[[1, 3, 3]] * 3,
        upsample_kernel_size=[[1, 2, 2]] * 2,
        filters=[4, 8, 8],
    ).eval()
    x = torch.randn(1, 1, 8, 32, 32)
    torch.testing.assert_close(mine(x), own(x))


def test_kernels_follow_from_strides_that_are_given() -> None:
    given = {"filters": [4, 8, 8], "strides": [1, 2, [1, 2, 2]]}
    option = Monai(options=given).suited((8, 32, 32), (3.0, 1.0, 1.0))
    assert option.options == {**given, "kernel_size": [[1, 3, 3], [1, 3, 3], [3, 3, 3]]}
    assert option.suited((8, 32, 32)) == option
    option.check(1, 2)
    with pytest.raises(ValueError, match="strides is 2; list the stride of each level"):
        Monai(options={"strides": 2}).suited((8, 32, 32))


@pytest.mark.parametrize(
    ("kind", "supervision"), [(kind, False) for kind in SMALL] + [("dynunet", True)]
)
def test_every_weight_has_one_name_and_can_be_stored(
    kind: str, supervision: bool, tmp_path: Path
) -> None:
    given = {"kind": kind, "options": SMALL[kind], "supervision": supervision}
    option = Monai.model_validate(given).suited((64, 64))
    network = option.build(1, 2)
    state = network.state_dict()
    assert len({value.data_ptr() for value in state.values()}) == len(state)
    assert {name for name, _ in network.named_parameters()} <= set(state)
    save_file(state, tmp_path / "weights.safetensors")
    other = option.build(1, 2)
    other.load_state_dict(load_file(tmp_path / "weights.safetensors"))
    x = torch.randn(1, 1, 64, 64)
    torch.testing.assert_close(other.eval()(x), network.eval()(x))


def test_levels_answer_at_their_own_sizes_in_training_alone() -> None:
    given = {"filters": [4, 8, 8, 8], "deep_supr_num": 2}
    option = Monai(options=given, supervision=True).suited((32, 32, 32))
    torch.manual_seed(0)
    network = option.build(1, 2)
    x = torch.randn(2, 1, 32, 32, 32)
    answers = network(x)
    assert [tuple(one.shape[2:]) for one in answers] == [(32,) * 3, (16,) * 3, (8,) * 3]
    stacked = type(network).forward(network, x)  # the library's own, enlarged to full size
    for number, one in enumerate(answers):
        wanted = torch.nn.functional.interpolate(one, (32, 32, 32))
        torch.testing.assert_close(stacked[:, number], wanted)
    assert network.eval()(x).shape == (2, 2, 32, 32, 32)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            {"filter": [4, 8]},
            "network.options.filter is not an option of dynunet; did you mean 'fil",
        ),
        ({"in_channels": 3}, "network.options.in_channels is not an option"),
        ({"filters": [4]}, "network.options of dynunet: "),
    ],
)
def test_options_that_do_not_exist_or_fit_are_refused(
    options: dict[str, object], says: str
) -> None:
    option = Monai.model_validate({"options": options})
    if options.get("filters") == [4]:
        option = option.model_copy(
            update={"options": {"filters": [4], "strides": [1, 2, 2], "kernel_size": [3, 3, 3]}}
        )
    with pytest.raises(RecipeError, match=says):
        option.suited((16, 16, 16)).check(1, 1)


def test_other_networks_have_no_levels_that_answer() -> None:
    with pytest.raises(ValidationError, match="swinunetr answers once"):
        TypeAdapter(AnyNetwork).validate_python({"kind": "swinunetr", "supervision": True})


def test_sizes_that_leave_one_voxel_are_refused() -> None:
    option = Monai(kind="swinunetr").suited((64, 64))
    assert option.unfit((48, 64)) == "needs multiples of 32"
    assert option.unfit((32, 32)) == "leaves one voxel at its last level; needs at least [64, 64]"
    with pytest.raises(ValueError, match=r"spatial_dims is 2, and frame.size .* has 3 numbers"):
        option.suited((32, 32, 64))


def test_without_the_library_the_command_to_install_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "monai", None)
    monkeypatch.setitem(sys.modules, "monai.networks", None)
    with pytest.raises(RecipeError, match=r"segresnet.*pip install 'lamina\[monai\]'"):
        Monai(kind="segresnet").suited((16, 16)).build(1, 1)


def test_an_option_survives_json() -> None:
    adapter = TypeAdapter(AnyNetwork)
    option = Monai(options={"filters": [4, 8, 8]}).suited((16, 16, 16))
    assert adapter.validate_json(adapter.dump_json(option)) == option
