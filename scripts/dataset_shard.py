"""Join the pictures of a shard of a source with captions: a shard of a dataset."""

from emaki.data import dataset_files, shards

if __name__ == "__main__":
    dataset_files.main(shards.write_dataset, __doc__)
