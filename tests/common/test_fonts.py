"""Letters that DejaVu Sans lacks are drawn in a font of the machine, or it is said that none is."""

import os

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from PIL import Image, ImageChops, ImageDraw

from emaki.common import fonts


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Fonts of a machine: one with the letter 日, a square, one that is damaged."""
    folder = tmp_path_factory.mktemp("fonts")
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "sun"])
    builder.setupCharacterMap({ord("日"): "sun"})
    builder.setupGlyf({".notdef": square(500), "sun": square(900)})
    builder.setupHorizontalMetrics({".notdef": (600, 0), "sun": (1000, 0)})
    builder.setupHorizontalHeader(ascent=900, descent=-100)
    builder.setupNameTable({"familyName": "Sun", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(folder / "Sun.ttf")
    (folder / "NotoSansCJK-Regular.ttc").write_bytes(b"damaged")
    return str(folder)


def square(side):
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, side), (side, side), (side, 0)):
        pen.lineTo(corner)
    pen.closePath()
    return pen.glyph()


def drawn(letters, text):
    image = Image.new("L", (160, 40), 255)
    letters.draw(ImageDraw.Draw(image), (4, 4), text, 0)
    return image


def test_letters_beyond_english_are_dejavus():
    letters = fonts.Letters(16, folders=[])
    assert all(fonts.has(letters.fonts[0], letter) for letter in "aéßøłжΩ— ")
    assert letters.getlength("éßøłжΩ—") == letters.fonts[0].getlength("éßøłжΩ—")
    assert not letters.lacking


def test_another_font_draws_what_dejavu_lacks(folder):
    letters, boxes = fonts.Letters(20, [folder]), fonts.Letters(20, [])
    first, second = drawn(letters, "a日b"), drawn(boxes, "a日b")
    assert ImageChops.difference(first, second).getbbox()
    assert first.getpixel((30, 20)) == 0, "the square is filled, a box is not"
    assert letters.getlength("a日b") == pytest.approx(letters.fonts[0].getlength("ab") + 20, abs=2)
    assert (letters.lacking, boxes.lacking) == (set(), {"日"})


def test_what_no_font_has_is_told(folder, monkeypatch):
    read, write = os.pipe()
    monkeypatch.setenv("EMAKI_TERMINAL", str(write))
    letters = fonts.Letters(20, [folder])
    drawn(letters, "日本語")
    letters.tell_lacking("grid")
    told = os.read(read, 4096).decode()
    os.close(read)
    os.close(write)
    assert told.startswith("grid: no font on this machine has 本語 (2 letters), which are boxes")


def test_nothing_is_told_where_all_is_drawn(folder, monkeypatch):
    monkeypatch.setenv("EMAKI_TERMINAL", "no descriptor")
    letters = fonts.Letters(20, [folder])
    drawn(letters, "a 日")
    letters.tell_lacking("grid")
