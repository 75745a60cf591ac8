"""Pictures: where they come from, how they are decoded and kept, and the datasets made of them."""

SPLITS = ("train", "validation")
