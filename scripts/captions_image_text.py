"""Write a table of captions that an image-text-to-text model gives the pictures of a source."""

from emaki.captioners import generation
from emaki.captioners.image_text_to_text import Captioner

if __name__ == "__main__":
    generation.main(Captioner, "captions", __doc__)
