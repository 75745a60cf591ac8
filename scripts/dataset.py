"""Join the pictures of a source with captions into a dataset with a card."""

from emaki import datasets

if __name__ == "__main__":
    datasets.main(datasets.write, __doc__)
