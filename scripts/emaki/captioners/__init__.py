"""What is said of pictures. Each module here has one class, whose objects write captions.

Such an object is an entry of the config's `captions`, with the module's settings. The rules, the
check of a config and the report import these modules, so that what is heavy is imported by the
methods that need it.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from emaki.common.plugins import Kind
from emaki.common.settings import Settings
from emaki.data.picture import Caption


class Captioner(Settings):
    """Who says what is to be seen in the pictures of a source. A module derives one class.

    One that changes the captions of another captioner has a key `of`, its name.
    """

    environment: ClassVar[str] = "data"
    """Which of envs/ its job runs in."""

    needs_gpu: ClassVar[bool] = False
    """Whether its job asks for a GPU, and is worth a job of its own on a cluster."""

    type: str
    """Which captioner: a module of `emaki.captioners`, or your own .py file."""

    def files(self) -> list[str]:
        """The files that decide the captions beside the pictures: inputs of the job. Quick."""
        return []

    def caption_pictures(self, images: Path, below: list[Caption]) -> Iterable[Caption]:
        """Yield (id, caption or None) for each picture in a folder of the images stage.

        `below` are the captions of the captioner that `of` names, else []. A job calls this. Raises
        UserError for what the user can put right.
        """
        raise NotImplementedError


KIND = Kind("captioner", "emaki.captioners", Captioner)
