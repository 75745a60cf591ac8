"""Where pictures come from. Each module here has `pictures(source)`, a generator.

A source is a mapping from the config: its `type` names the module, the other keys are that
module's options. The same mapping gives the same pictures, byte for byte.
"""

import importlib

from emaki.common.errors import UserError

TYPES = ("rooms", "openmoji", "dicebear", "folder", "unsplash", "hub", "hub_stream", "webdataset")
ARCHIVES = ("hub_stream", "webdataset")  # a file is a shard, and the pictures stay in it


def build(source):
    """Yield the `Picture`s (of files also `Reject`s) of a source mapping.

    Raises UserError if `source["type"]` is not one of TYPES.
    """
    kind = source.get("type")
    if kind not in TYPES:
        raise UserError(f"source type {kind!r} is unknown: use one of {', '.join(TYPES)}")
    return importlib.import_module(f"emaki.data.sources.{kind}").pictures(source)
