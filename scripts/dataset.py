"""Join the pictures of a source with captions into a dataset with a card."""

from emaki.common.errors import friendly
from emaki.data import dataset_files


@friendly
def main() -> None:
    dataset_files.write(**vars(dataset_files.parse_arguments(__doc__)))


if __name__ == "__main__":
    main()
