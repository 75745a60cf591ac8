"""What every stage uses: errors, files that are whole or not there, progress, the hub."""
