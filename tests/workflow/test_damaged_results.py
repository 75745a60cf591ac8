"""Each hand-over of the small study, damaged: never used, and made anew by what the error says.

`make test-faults`: a quarter of an hour on two cores. The dates of what is damaged stay, so that
nothing but the content tells.
"""

import os
import random
import re
import shutil

import pytest

pytestmark = pytest.mark.skipif(
    "EMAKI_TEST_FAULTS" not in os.environ, reason="make test-faults asks for it"
)

RESULTS = "results/small"
LATENTS = "latents/rooms/tiny/*"
# (what is damaged, what the next job makes of it)
HAND_OVERS = [
    ("images/rooms/metadata.parquet", "captions/rooms/alt.parquet"),
    ("images/rooms/pictures/*.png", "datasets/rooms/content.json"),
    ("captions/rooms/alt.parquet", "datasets/rooms/content.json"),
    ("datasets/rooms/data/train.parquet", "references/kid/rooms.parquet"),
    (f"{LATENTS}/manifest.json", "runs/lora/000001/checkpoint.json"),
    (f"{LATENTS}/moments.safetensors", "runs/lora/000001/checkpoint.json"),
    (f"{LATENTS}/text.safetensors", "runs/lora/000001/checkpoint.json"),
    (
        "runs/lora/*/weights/raw/pytorch_lora_weights.safetensors",
        "samples/lora/0.parquet",
    ),
    ("runs/full/*/weights/raw/*.safetensors", "samples/full/0.parquet"),
    ("prompts/rooms/*.parquet", "samples/base/tiny/0.parquet"),
    ("samples/base/tiny/0.parquet", "scores/evaluation/base/tiny/0.parquet"),
    ("scores/evaluation/base/tiny/0.parquet", "experiments/lora.json"),
    ("references/kid/rooms.parquet", "experiments/lora.json"),
    ("calibrations/clip_score/tiny/rooms.parquet", "experiments/lora.json"),
    ("experiments/*.json", "report.html"),
    ("datasets/rooms/card.json", "report.html"),
    ("runs/lora/*/metrics.parquet", "report.html"),
]


def find(study, pattern):
    """The last file of the study that a pattern means."""
    return sorted((study.folder / RESULTS).glob(pattern))[-1]


def damage(path, chance):
    """Flip a bit, or put zeros, nothing or half in the place of a file's bytes."""
    whole = bytearray(path.read_bytes())
    about = path.stat()
    kind = chance.choice(["flip", "flip", "zeros", "cut", "empty"])
    if kind == "flip":
        whole[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
    elif kind == "zeros":
        start = chance.randrange(len(whole))
        whole[start : start + 4096] = bytes(len(whole[start : start + 4096]))
    else:
        del whole[0 if kind == "empty" else len(whole) // 2 :]
    path.write_bytes(whole)
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    return kind


def check(study, number):
    """Damage a hand-over and make what follows; return what happened."""
    before, after = (find(study, pattern) for pattern in HAND_OVERS[number])
    whole, expected = before.read_bytes(), after.read_bytes()
    kind = damage(before, random.Random(number))
    after.unlink()
    target = str(after.relative_to(study.folder))
    done = study.snakemake(target, check=False)
    if done.returncode == 0:  # only where the damage changes nothing that is read
        assert after.read_bytes() == expected, (before, kind)
        return f"{kind}: harmless"
    sentence = r"error: (\S+) is damaged.* delete (\S+) and give the same command again"
    told = re.findall(sentence, done.stdout + done.stderr)
    assert told, done.stdout + done.stderr
    named, delete = told[-1]
    broken = study.folder / (named if delete == "it" else delete)
    assert before == broken or broken in before.parents, (before, broken)
    shutil.rmtree(broken) if broken.is_dir() else broken.unlink()
    study.snakemake(target)
    assert before.read_bytes() == whole
    assert after.read_bytes() == expected
    return f"{kind}: noticed"


@pytest.mark.parametrize("number", range(len(HAND_OVERS)), ids=lambda n: HAND_OVERS[n][0])
def test_a_damaged_hand_over_is_never_used(number, study):
    check(study, number)
