"""Schemas of parquet files whose pictures the `datasets` library decodes."""

import json

import pyarrow as pa

ARROW = {
    "string": pa.string(),
    "int64": pa.int64(),
    "image": pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
}


def schema(**columns):
    """The schema of columns of type "string", "int64" or "image", as datasets.Features writes."""
    features = {
        name: {"_type": "Image"} if type == "image" else {"dtype": type, "_type": "Value"}
        for name, type in columns.items()
    }
    return pa.schema(
        [(name, ARROW[type]) for name, type in columns.items()],
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )
