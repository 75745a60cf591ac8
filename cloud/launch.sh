#!/usr/bin/env bash
# One study on a rented machine: cloud/launch.sh [CONFIG]. Needs `sky` (docs/cloud.md) and rsync.
# Results come back after a failure too. The machine is ended only when they have come.
set -euo pipefail
cd "$(dirname "$0")/.."
cluster=emaki

status=0
sky launch --yes --cluster "$cluster" --env CONFIG="${1:-}" cloud/emaki.sky.yaml || status=$?

# SkyPilot has made `emaki` a host of ssh
for folder in results logs; do
    rsync -a --partial "$cluster:sky_workdir/$folder/" "$folder/" || {
        echo "error: $folder did not come back; the machine is still there and costs money." >&2
        echo "Try cloud/launch.sh again, or end it: sky down $cluster" >&2
        exit 1
    }
done
sky down --yes "$cluster"
exit "$status"
