"""Sources: the pictures and captions that a config asks for, each time the same."""

import itertools
from typing import get_args

import pytest

from emaki.common.errors import UserError
from emaki.data import svg
from emaki.data.sources import KIND, dicebear, rooms

SOURCES = {
    "rooms": {"type": "rooms", "count": 3, "seed": 1, "captions": "full"},
    "critters": {"type": "dicebear", "style": "critters", "count": 3},
    "things": {"type": "openmoji", "names": ["pig", "red heart"], "views": 2, "flip": True},
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_same_source_same_pictures(source):
    first, again = list(KIND.read(source).pictures()), list(KIND.read(source).pictures())
    assert [picture.id for picture in first] == [picture.id for picture in again]
    assert [picture.image.tobytes() for picture in first] == [
        picture.image.tobytes() for picture in again
    ]
    assert len({picture.id for picture in first}) == len(first)
    assert all(picture.caption and picture.licence and picture.credit for picture in first)
    assert {picture.image.mode for picture in first} == {"RGB"}


def test_a_longer_source_begins_with_the_shorter_one():
    for source in (SOURCES["rooms"], SOURCES["critters"]):
        longer = itertools.islice(KIND.read(source | {"count": 5}).pictures(), 3)
        assert [p.image.tobytes() for p in KIND.read(source).pictures()] == [
            p.image.tobytes() for p in longer
        ]


def test_unknown_type_is_explained():
    told = r"is 'room', but there is no source of that type; .*; did you mean 'rooms'\?$"
    with pytest.raises(UserError, match=told):
        KIND.read({"type": "room"})


def test_unknown_name_has_a_hint():
    with pytest.raises(UserError, match="did you mean 'umbrella'"):
        list(KIND.read({"type": "openmoji", "names": ["umbrela"]}).pictures())


def test_settings_allow_what_there_is():
    assert get_args(rooms.Rooms.model_fields["captions"].annotation) == tuple(rooms.CAPTIONS)
    assert get_args(dicebear.DiceBear.model_fields["style"].annotation) == tuple(dicebear.STYLES)


def test_full_caption_says_what_is_drawn():
    room = rooms.Room(
        style="rustic",
        couch="orange",
        wall="#c99f6c",
        window=True,
        painting=False,
        rug="blue",
        lamp=True,
        plant=False,
        turned=False,
    )
    caption = rooms.full_caption(room, None)
    assert caption == "a rustic living room with an orange couch, a window, a blue rug and a lamp"
    image = svg.render(rooms.draw(room))
    scale = image.width / 64
    seat, sky, rug = (
        image.getpixel((x * scale, y * scale)) for x, y in ((24, 36), (10, 13), (32, 60))
    )
    assert "#{:02x}{:02x}{:02x}".format(*seat) == rooms.COLOURS["orange"]
    assert "#{:02x}{:02x}{:02x}".format(*rug) == rooms.COLOURS["blue"]
    assert sky[2] > sky[0]  # blue


def test_sparse_captions_say_less_and_vary():
    full = [p.caption for p in rooms.Rooms(count=60).pictures()]
    sparse = [p.caption for p in rooms.Rooms(count=60, captions="sparse").pictures()]
    assert sum(map(len, sparse)) < sum(map(len, full)) / 2
    assert len(set(sparse)) > 20


def test_openmoji_names_and_flags():
    from emaki.data.sources.openmoji import list_drawings

    names = list_drawings()
    assert {"pig", "umbrella", "red heart"} <= names.keys()
    assert not {"Japan", "waving hand: light skin tone"} & names.keys()
