"""Encode the real pictures of a dataset, for KID and CMMD to compare samples with."""

import argparse
import json

import torch

from emaki.common.errors import friendly
from emaki.evaluation import reference, scoring


@friendly
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", required=True, help="parquet file of the dataset")
    parser.add_argument("--resolution", required=True, type=int, help="of the samples, in pixels")
    parser.add_argument("--features", type=json.loads, required=True, help="encoder, as JSON")
    parser.add_argument("--clip", help="folder of the CLIPModel for CMMD, where it is wanted")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    columns = reference.columns(
        arguments.pictures, arguments.resolution, arguments.features, arguments.clip
    )
    scoring.write(columns, arguments.output)


if __name__ == "__main__":
    main()
