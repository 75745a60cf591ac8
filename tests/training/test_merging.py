"""Merges of real U-Net folders."""

import json
import shutil

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file, save_file

from emaki.common import weight_files
from emaki.common.errors import UserError
from emaki.training.merging import merge


@pytest.fixture
def unets(tmp_path):
    torch.manual_seed(0)
    make_unet().save_pretrained(tmp_path / "base" / "unet")
    (tmp_path / "base/model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    make_unet().half().save_pretrained(tmp_path / "tuned")
    return tmp_path


def make_unet(channels=8):
    return UNet2DConditionModel(
        sample_size=4,
        block_out_channels=(channels,),
        down_block_types=("CrossAttnDownBlock2D",),
        up_block_types=("CrossAttnUpBlock2D",),
        layers_per_block=1,
        cross_attention_dim=8,
        norm_num_groups=4,
        attention_head_dim=4,
    )


@pytest.mark.parametrize("alpha", [0.25, 1.0, 1.5])
def test_is_the_weighted_sum_and_loads_with_diffusers(unets, alpha):
    merge(unets / "base", unets / "tuned", alpha, unets / "merge")
    load = UNet2DConditionModel.from_pretrained
    base, tuned, merged = (load(unets / name).float() for name in ("base/unet", "tuned", "merge"))
    for a, b, c in zip(base.parameters(), tuned.parameters(), merged.parameters()):
        assert torch.allclose(c, (1 - alpha) * a + alpha * b, atol=2e-3)


def test_a_base_in_parts_and_in_bfloat16(unets):
    base = UNet2DConditionModel.from_pretrained(unets / "base/unet").bfloat16()
    base.save_pretrained(unets / "divided/unet", max_shard_size="20KB")
    assert not (unets / "divided/unet" / weight_files.DIFFUSERS).exists()
    shutil.copy(unets / "base/model_index.json", unets / "divided")
    merge(unets / "divided", unets / "tuned", 0.5, unets / "merge")
    tuned, merged = (load_file(unets / n / weight_files.DIFFUSERS) for n in ("tuned", "merge"))
    for name, tensor in base.state_dict().items():
        torch.testing.assert_close(merged[name], ((tensor.float() + tuned[name]) / 2).half())


def test_alpha_1_is_the_fine_tune_bit_for_bit_and_says_so(unets):
    merge(unets / "base", unets / "tuned", 1.0, unets / "merge")
    weights = [load_file(unets / name / weight_files.DIFFUSERS) for name in ("tuned", "merge")]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    about = json.loads((unets / "merge" / "merge.json").read_text())
    merge(unets / "base", unets / "tuned", 1.0, unets / "again")
    assert about == json.loads((unets / "again" / "merge.json").read_text())
    assert about["alpha"] == 1.0


def test_the_file_is_what_safetensors_writes(unets):
    merge(unets / "base", unets / "tuned", 0.5, unets / "merge")
    merged = unets / "merge" / weight_files.DIFFUSERS
    save_file(load_file(merged), unets / "again.safetensors", metadata={"format": "pt"})
    assert merged.read_bytes() == (unets / "again.safetensors").read_bytes()


def test_refuses_another_architecture(unets):
    make_unet(16).save_pretrained(unets / "wider")
    with pytest.raises(UserError, match="no fine-tune of"):
        merge(unets / "base", unets / "wider", 0.5, unets / "merge")
    assert not (unets / "merge").exists()
