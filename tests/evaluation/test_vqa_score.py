"""VQAScore by a real, tiny Llava with random weights."""

import shutil

import pytest
import torch
from PIL import Image

import tiny_llava
from emaki.common.errors import UserError
from emaki.evaluation import vqa
from emaki.evaluation.measures import KIND

PICTURES = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue", "green")]
PROMPTS = ["a red couch", "blue", "a room with a couch"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_llava.write(tmp_path_factory.mktemp("llava"))


def scores(model, images=PICTURES, prompts=PROMPTS, **settings):
    return KIND.read({"type": "vqa-score", "model": model, **settings}).score(images, prompts, "")


def test_a_score_is_the_probability_of_yes_after_the_papers_question(model):
    from transformers import AutoProcessor, LlavaForConditionalGeneration

    own = LlavaForConditionalGeneration.from_pretrained(model)
    processor = AutoProcessor.from_pretrained(model)
    yes = processor.tokenizer.convert_tokens_to_ids("yes")
    expected = []
    for image, prompt in zip(PICTURES, PROMPTS):
        text = (
            f'user : <image> Does this figure show "{prompt}"? Please answer yes or no. assistant :'
        )
        inputs = processor(text=text, images=image, return_tensors="pt")
        with torch.inference_mode():
            chances = own(**inputs).logits[0, -1].softmax(-1)
        expected.append(100 * chances[yes].item())
    assert len({round(score, 3) for score in expected}) == 3
    assert scores(model) == pytest.approx(expected, abs=1e-3)


def test_scores_do_not_depend_on_the_company(model, monkeypatch):
    together = scores(model)
    assert scores(model, PICTURES[::-1] * 4, PROMPTS[::-1] * 4)[::-1] == together * 4
    assert scores(model, PICTURES[:1], PROMPTS[:1]) == together[:1]
    monkeypatch.setattr(vqa, "BATCH", 1)
    assert scores(model) == pytest.approx(together, abs=1e-3)
    assert all(0 <= score <= 100 for score in scores(model, precision="bf16"))


def test_a_tokenizer_without_yes(model, tmp_path):
    folder = shutil.copytree(model, tmp_path / "silent")
    for path in folder.glob("tokenizer*.json"):
        path.write_text(path.read_text().replace('"yes"', '"aye"'))
    with pytest.raises(UserError, match="has no token that says yes"):
        scores(str(folder))
