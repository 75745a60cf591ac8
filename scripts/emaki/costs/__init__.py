"""What a study takes: sizes of models, time, memory, disk, money."""
