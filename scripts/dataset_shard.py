"""Join the pictures of a shard of a source with captions: a shard of a dataset."""

from emaki import datasets, shards

if __name__ == "__main__":
    datasets.main(shards.write_dataset, __doc__)
