"""Another captioner's captions, in capitals."""

from emaki.captioners import Captioner


class Shouting(Captioner):
    """Another captioner's captions, in capitals."""

    of: str
    """Captioner whose captions are changed."""

    end: str = "!"
    """What follows."""

    def caption_pictures(self, images, below):
        return [(name, caption and caption.upper() + self.end) for name, caption in below]
