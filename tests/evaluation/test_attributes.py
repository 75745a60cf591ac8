"""What prompts name of a picture, and what the embedded classifier reads in pictures."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from emaki.common.errors import UserError
from emaki.config import load
from emaki.data.sources.dicebear import DiceBear
from emaki.data.sources.rooms import Rooms
from emaki.evaluation import attributes
from emaki.evaluation.attributes import Attributes
from emaki.evaluation.measures import KIND
from emaki.evaluation.metrics import metrics_of
from emaki.report.page import explanation

ROOT = Path(__file__).parents[2]
CLASSIFIER = str(ROOT / "resources/tiny-attributes")
KNOWN = attributes.read(CLASSIFIER)
MEASURE = KIND.read({"type": "attributes", "classifier": CLASSIFIER})
OWN = [
    {"name": "animal", "values": ["cat", "dog"], "phrases": ["{animal}s?"]},
    {
        "name": "coat",
        "values": ["black", "white", "black and white"],
        "phrases": ["{coat} {animal}"],
        "of": {"animal": "cat"},
    },
]


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def made(**changes):
    """The user's own attributes, those of the coat changed."""
    return {"attributes": [OWN[0], OWN[1] | changes]}


@pytest.mark.parametrize(
    ("prompt", "named"),
    [
        ("a rustic living room with a red couch, a window and a blue rug",
         {"scene": "living room", "style": "rustic", "couch": "red", "window": "window",
          "rug": "blue"}),
        ("White sofa near a plant", {"couch": "white", "plant": "plant"}),
        ("a room without windows", {}),
        ("a sky blue wedge inv critter with ears round, dots, dots eyes, tooth mouth, red"
         " background",
         {"scene": "critter", "body": "sky blue", "shape": "wedge inv", "top": "ears round",
          "pattern": "dots", "eyes": "dots", "mouth": "tooth", "background": "red"}),
        ("pig", {"thing": "pig"}),
        ("a pig on a green couch", {"couch": "green"}),
    ],
)  # fmt: skip
def test_what_a_prompt_names(prompt, named):
    expected = {name: [value] for name, value in named.items()}
    assert KNOWN.named(prompt) == expected


def test_the_embedded_study_names_what_the_classifier_reads():
    """Each prompt of a room its couch, of a critter all that there is, and each thing itself."""
    sets = {
        name: prompts.texts for name, prompts in load(ROOT / "config/config.yaml").prompts.items()
    }
    assert all({"scene", "couch"} <= KNOWN.named(text).keys() for text in sets["rooms"])
    always = {"scene", "body", "shape", "top", "eyes", "mouth", "background"}
    assert all(KNOWN.named(text).keys() >= always for text in sets["critters"])
    assert all(KNOWN.named(text) == {"thing": [text]} for text in sets["unrelated"])


def test_the_share_of_what_is_named():
    known = Attributes.model_validate(made())
    # cat, dog; black, white, both
    chances = np.array([[0.9, 0.1, 0.5, 0.2, 0.3], [0.2, 0.8, 0.5, 0.2, 0.3]])
    found = known.shown(np.repeat(chances, 3, axis=0), ["a black cat", "cats", "a bird"] * 2)
    # a coat is that of a cat
    assert found == pytest.approx([(0.9 + 0.45) / 2, 0.9, 1, (0.2 + 0.1) / 2, 0.2, 1])
    assert known.named("a black and white cat")["coat"] == ["black and white"]
    assert known.named("cat or dog")["animal"] == ["cat", "dog"]


def test_rooms_and_critters_show_their_captions_and_not_those_of_others():
    for source in (Rooms(count=64, seed=77), DiceBear(style="critters", count=64, first=70_000)):
        pictures = list(source.pictures())
        images, captions = [p.image for p in pictures], [p.caption for p in pictures]
        right = np.mean(MEASURE.score(images, captions, ""))
        wrong = np.mean(MEASURE.score(images, captions[1:] + captions[:1], ""))
        assert right > 75
        assert wrong < right - 25
        assert np.mean(MEASURE.score(images, ["pig"] * 64, "")) < 5


def test_a_room_has_the_couch_that_a_critter_has_not():
    (room,) = Rooms(count=1, seed=77).pictures()
    (critter,) = DiceBear(style="critters", count=1, first=70_000).pictures()
    couch = KNOWN.named(room.caption)["couch"][0]
    found = MEASURE.score([room.image, critter.image], [f"a {couch} couch"] * 2, "")
    assert found[0] > 80
    assert found[1] < 5


def test_the_report_says_how_often_the_classifier_is_right():
    (told,) = MEASURE.about()
    assert told.startswith("Of held-out pictures it reads right: scene 100.0%, style ")
    assert told.count("%") == len(KNOWN.attributes)
    (metric, unrelated) = metrics_of({"attributes": MEASURE}).values()
    assert told in explanation(metric)
    assert told not in explanation(unrelated)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"phrases": ["{tail} tail"]},
            "phrase '{tail} tail' of coat has {tail}, which there is not",
        ),
        ({"phrases": ["{animal}"]}, "phrase '{animal}' of coat lacks one {coat}"),
        ({"phrases": ["({coat}"]}, "phrase '({coat}' of coat is no pattern"),
        ({"of": {"animal": "cow"}}, "coat is of animal: cow, which there is not"),
        ({"values": []}, "attributes[1].values is empty"),
    ],
)
def test_mistakes_in_a_classifier_of_ones_own_are_told(changes, problem, tmp_path):
    (tmp_path / attributes.FILE).write_text(json.dumps(made(**changes)))
    with pytest.raises(UserError) as caught:
        attributes.read(tmp_path)
    assert str(tmp_path / attributes.FILE) in str(caught.value)
    assert problem in str(caught.value)


def test_a_classifier_of_ones_own_with_another_number_of_labels(tmp_path):
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessorPil

    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = ViTConfig(**size, intermediate_size=16, image_size=32, patch_size=16, num_labels=5)
    ViTForImageClassification(config).save_pretrained(tmp_path)
    ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(tmp_path)
    (tmp_path / attributes.FILE).write_text(json.dumps(made()))
    measure = KIND.read({"type": "attributes", "classifier": str(tmp_path)})
    assert all(Path(file).is_file() for file in measure.files())
    images = [room.image for room in Rooms(count=2).pictures()]
    (one, two) = measure.score(images, ["a cat", "a bird"], "")
    assert 0 < one < 100 == two
    (tmp_path / attributes.FILE).write_text(json.dumps(made(values=["black", "white"])))
    with pytest.raises(UserError, match=r"has 4 values, and the model 5 labels"):
        measure.score(images, ["a cat", "a bird"], "")
