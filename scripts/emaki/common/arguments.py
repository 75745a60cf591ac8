"""Arguments NAME=PATH, of scripts that read many files."""

from emaki.common.errors import UserError


def named(pairs):
    """{name: path} of NAME=PATH arguments."""
    return dict(pair.split("=", 1) for pair in pairs)


def read_named(option, pairs, wanted, read):
    """{(variant, prompt set): read(path)} of VARIANT:SET=PATH arguments, for the wanted pairs.

    Raises UserError with the name of the option if one is missing.
    """
    paths, found = named(pairs), {}
    for variant, prompt_set in wanted:
        if (name := f"{variant}:{prompt_set}") not in paths:
            raise UserError(f"{option} has no {name}")
        found[variant, prompt_set] = read(paths[name])
    return found
