"""Join the pictures of a source with captions into a dataset with a card."""

from emaki.data import dataset_files

if __name__ == "__main__":
    dataset_files.main(dataset_files.write, __doc__)
