"""What a config may say of a model on the hub, and what it is told."""

import pytest

from emaki.common.errors import UserError
from emaki.config import load
from emaki.config.repositories import repository
from emaki.workflow.model_files import ModelFiles

COMMIT = "0123456789" * 4
OTHER = "abcdef0123" * 4


def read(workplace, model, more=""):
    path = workplace / "my.yaml"
    path.write_text(
        f"extends: config/config.yaml\nstudy: of-hub\nmodels:\n  tiny: {{{model}}}\n{more}"
    )
    return load(path)


def test_a_model_of_the_hub_has_a_path_of_its_commits(workplace):
    said = f"repo: a/b, revision: '{COMMIT}', non_ema_revision: '{OTHER}'"
    assert read(workplace, said).models["tiny"].folder == f"results/hub/a/b/{COMMIT}+{OTHER}"


def test_raw_weights_are_of_the_same_commit_where_no_other_is_named(workplace):
    study = read(workplace, f"repo: a/b, revision: '{COMMIT}'")
    file = f"results/hub/a/b/{COMMIT}/unet/diffusion_pytorch_model.non_ema.safetensors"
    assert file in ModelFiles(study).parts("tiny", "non_ema")


def test_which_jobs_take_something_from_the_hub(workplace):
    more = f"sources:\n  rooms: {{type: hub, repo: a/b, revision: '{COMMIT}'}}\n"
    models = ModelFiles(read(workplace, "path: resources/tiny-sd", more))
    assert models.download([("hub_model", {})])
    assert models.download([("images", {"source": "rooms"})])
    assert not models.download(
        [
            *(("images", {"source": "critters"}), ("caption", {"source": "rooms"})),
            ("images_scatter_critters", {}),  # of a source in shards, which its name says
        ]
    )


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("repo: a/b, revision: main", "models.tiny.revision is 'main', but must be a commit hash"),
        (f"repo: a/b, revision: '{COMMIT}', non_ema_revision: non-ema", "so pin the commit"),
        (
            "repo: a/b",
            "tiny.revision is missing: `make pin CONFIG=my.yaml` prints the commit",
        ),
        ("repo: b", "but must be a repository of the hub as owner/name"),
        (f"repo: a/b, path: resources/tiny-sd, revision: '{COMMIT}'", "either path or repo"),
        (f"path: resources/tiny-sd, revision: '{COMMIT}'", "goes with repo only"),
        (f"repo: a/b, revision: '{COMMIT}', non_ema_sha256: '{'0' * 64}'", "goes with non_ema_rev"),
    ],
)
def test_mistakes(workplace, model, told):
    with pytest.raises(UserError, match=told):
        read(workplace, model)


def test_a_dataset_without_a_commit_is_told_with_the_alternatives(workplace):
    more = "sources:\n  rooms: {type: hub, repo: a/gone}\n"
    with pytest.raises(UserError) as caught:
        read(workplace, "path: resources/tiny-sd", more)
    told = str(caught.value)
    assert "sources.rooms.revision is missing: `make pin CONFIG=my.yaml` prints" in told
    for alternative in ("type: hub", "type: folder", "type: dicebear"):
        assert alternative in told


def read_models(workplace, entry):
    """A config whose measures and captioner have all that `entry` of the hub."""
    measures = [
        f"{name}: {{type: {name}, model: {{{entry}}}}}" for name in ("clip-score", "preference")
    ]
    measures.append(f"kid: {{type: kid, encoder: {{type: dinov2, model: {{{entry}}}}}}}")
    more = f"measures: {{{', '.join(measures)}}}\n"
    more += f"captions:\n  blip: {{type: blip, model: {{{entry}}}}}\n"
    return read(workplace, "path: resources/tiny-sd", more)


def test_measures_and_captioners_of_the_hub_have_a_folder(workplace):
    config = read_models(workplace, f"repo: a/b, revision: '{COMMIT}'")
    folder = f"results/hub/a/b/{COMMIT}"
    measures = config.measures
    assert (measures["clip-score"].model, measures["preference"].model) == (folder, folder)
    assert (measures["kid"].encoder.model, config.captions["blip"].model) == (folder, folder)
    assert (repository(folder), repository("resources/tiny-clip")) == ("a/b", None)


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("repo: a/b", "{}.revision is missing: `make pin CONFIG=my.yaml` prints"),
        ("repo: a/b, revision: main", "{}.revision is 'main', but must be a commit hash"),
        (f"revision: '{COMMIT}'", "{}.repo is missing"),
        (f"repo: a/b, revision: '{COMMIT}', rev: x", "{}.rev is not a key here"),
    ],
)
def test_mistakes_in_measures_and_captioners(workplace, entry, told):
    with pytest.raises(UserError) as caught:
        read_models(workplace, entry)
    places = [f"measures.{name}.model" for name in ("clip-score", "preference", "kid.encoder")]
    for place in [*places, "captions.blip.model"]:
        assert told.format(place) in str(caught.value)
