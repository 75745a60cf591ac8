"""Write a table of captions that a BLIP model gives the pictures of a source."""

from emaki.captioners import generation
from emaki.captioners.blip import Captioner

if __name__ == "__main__":
    generation.main(Captioner, "captions blip", __doc__)
