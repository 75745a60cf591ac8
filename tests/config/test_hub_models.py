"""What a config may say of a model on the hub, and what it is told."""

import pytest

from emaki.config import load
from emaki.errors import UserError

COMMIT = "0123456789" * 4
OTHER = "abcdef0123" * 4


def read(workplace, model, more=""):
    path = workplace / "my.yaml"
    path.write_text(
        f"extends: config/config.yaml\nstudy: hub\nmodels:\n  tiny: {{{model}}}\n{more}"
    )
    return load(path)


def test_a_model_of_the_hub_has_a_path_of_its_commits(workplace):
    said = f"repo: a/b, revision: '{COMMIT}', non_ema_revision: '{OTHER}'"
    assert read(workplace, said)["models"]["tiny"]["path"] == f"results/hub/a/b/{COMMIT}+{OTHER}"


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("repo: a/b, revision: main", "models.tiny.revision is 'main', but must be a commit hash"),
        (f"repo: a/b, revision: '{COMMIT}', non_ema_revision: non-ema", "so pin the commit"),
        ("repo: a/b", "models.tiny.revision is missing: pin a commit"),
        ("repo: b", "but must be a repository of the hub as owner/name"),
        (f"repo: a/b, path: resources/tiny-sd, revision: '{COMMIT}'", "either path or repo"),
        (f"path: resources/tiny-sd, revision: '{COMMIT}'", "goes with repo only"),
        (f"repo: a/b, revision: '{COMMIT}'", "but its model has no non_ema_revision"),
    ],
)
def test_mistakes(workplace, model, told):
    with pytest.raises(UserError, match=told):
        read(workplace, model)
