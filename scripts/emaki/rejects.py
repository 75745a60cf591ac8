"""What was set aside, and why: never silently."""

import pyarrow as pa

SCHEMA = pa.schema([("file", pa.string()), ("reason", pa.string())])


def explain(rejects, most=3):
    """One line about rejects: how many were set aside, and the first `most` with the reasons."""
    shown = "; ".join(f"{reject['file']}: {reject['reason']}" for reject in rejects[:most])
    more = f"; and {len(rejects) - most} more" if len(rejects) > most else ""
    return f"{len(rejects)} set aside ({shown}{more})" if rejects else "the source gave none"
