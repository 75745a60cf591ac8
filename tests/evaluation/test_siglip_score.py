"""Scores by SigLIP: a real, tiny SiglipModel with random weights."""

import pytest
import torch

from emaki.common.errors import UserError
from emaki.data.sources.rooms import Rooms
from emaki.evaluation import siglip
from emaki.evaluation.measures import KIND


@pytest.fixture(scope="module")
def rooms():
    torch.set_num_threads(1)
    return list(Rooms(count=5, seed=77).pictures())


@pytest.fixture(scope="module")
def model(tmp_path_factory, rooms):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, SiglipConfig, SiglipModel
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("siglip")
    words = ["<pad>", "<unk>", *sorted({w for room in rooms for w in room.caption.lower().split()})]
    splitter = Tokenizer(models.WordLevel({w: n for n, w in enumerate(words)}, unk_token="<unk>"))
    splitter.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(
        tokenizer_object=splitter, pad_token="<pad>", unk_token="<unk>"
    ).save_pretrained(folder)
    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    size |= {"num_attention_heads": 2}
    text = {"vocab_size": len(words), "max_position_embeddings": 24, "pad_token_id": 0}
    config = SiglipConfig(
        text_config=text | size, vision_config={"image_size": 32, "patch_size": 16} | size
    )
    SiglipModel(config).save_pretrained(folder)
    SiglipImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    return str(folder)


def scores(model, rooms, prompts=None):
    measure = KIND.read({"type": "siglip-score", "model": model})
    prompts = prompts or [room.caption for room in rooms]
    return measure.score([room.image for room in rooms], prompts, "")


def test_scores_are_the_models_logits_without_its_scale_and_bias(model, rooms):
    from transformers import AutoTokenizer, SiglipModel
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    own = SiglipModel.from_pretrained(model)
    texts = [room.caption.lower() for room in rooms]
    tokens = AutoTokenizer.from_pretrained(model)(
        texts, padding="max_length", max_length=24, return_tensors="pt"
    )
    pixels = SiglipImageProcessorPil.from_pretrained(model)(
        [room.image for room in rooms], return_tensors="pt"
    )
    with torch.inference_mode():
        logits = own(input_ids=tokens.input_ids, **pixels).logits_per_image.diagonal()
        expected = 100 * (logits - own.logit_bias) / own.logit_scale.exp()
    assert scores(model, rooms) == pytest.approx(expected.tolist(), abs=1e-3)


def test_scores_tell_prompts_apart_but_not_capitals(model, rooms, monkeypatch):
    own = scores(model, rooms)
    assert scores(model, rooms, [room.caption.upper() for room in rooms]) == own
    assert scores(model, rooms, [room.caption for room in rooms[::-1]]) != own
    assert scores(model, rooms, [" ".join(["room"] * 99)] * 5)  # cut
    monkeypatch.setattr(siglip, "BATCH", 2)
    assert scores(model, rooms) == pytest.approx(own, abs=1e-3)


def test_a_folder_of_another_model(rooms):
    with pytest.raises(UserError, match="holds a model of type 'clip', not 'siglip'"):
        scores("resources/tiny-clip", rooms)
