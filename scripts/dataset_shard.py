"""Join the pictures of a shard of a source with captions: a shard of a dataset."""

from emaki.common.errors import friendly
from emaki.data import dataset_files, shards


@friendly
def main() -> None:
    shards.write_dataset(**vars(dataset_files.parse_arguments(__doc__)))


if __name__ == "__main__":
    main()
