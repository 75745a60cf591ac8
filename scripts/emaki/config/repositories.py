"""What a config names by repository and commit of the hub, and the folder where it will lie."""

from emaki.config.derived import starts

FOLDER = "results/hub"


def resolve(config, file):
    """Put its folder in the place of each model of the hub; yield mistakes as checks do.

    A base model keeps its mapping and gets a `path`. `file` is the config's, for the message.
    """
    for path, entry, key in list(unpinned(config)):
        what = "is missing"
        if key == "non_ema_revision":
            what += f", but {', '.join(raw_starts(config, path[1]))} start from non-EMA weights"
        what += f": `make pin CONFIG={file}` prints the commit to put in"
        if path[0] == "sources":
            what += (
                f"; if {entry['repo']} is gone, give {'.'.join(path)} another value: {{type: hub, "
                "repo: owner/name}, {type: folder, path: my/pictures} or "
                "{type: dicebear, style: critters, count: 720}"
            )
        yield (*path, key), what
    for model in config["models"].values():
        if "repo" in model and "path" not in model:
            model["path"] = folder(model)
        model.setdefault("path", ".")
    for _, holder, key in transformers_models(config):
        if isinstance(holder[key], dict):
            holder[key] = folder(holder[key])


def unpinned(config):
    """(path of keys, entry, key) of each commit that an entry with a `repo` lacks."""
    for name, model in config["models"].items():
        if "repo" in model and "revision" not in model:
            yield ("models", name), model, "revision"
        if "repo" in model and "non_ema_revision" not in model and raw_starts(config, name):
            yield ("models", name), model, "non_ema_revision"
    found = [(where, holder[key]) for where, holder, key in transformers_models(config)]
    found += [(("sources", name), source) for name, source in config["sources"].items()]
    for path, entry in found:
        if isinstance(entry, dict) and "repo" in entry and "revision" not in entry:
            yield path, entry, "revision"


def raw_starts(config, model):
    """The runs that start from the raw (non-EMA) weights of a model."""
    return [
        name
        for name, run in config["runs"].items()
        if run["model"] == model and "non_ema" in starts(run).values()
    ]


def folder(entry):
    """The folder of a repository. Its name has the commits, so that studies share it safely."""
    commits = [entry.get("revision"), entry.get("non_ema_revision")]
    return f"{FOLDER}/{entry['repo']}/{'+'.join(filter(None, commits))}"


def repository(path):
    """The owner/name of a repository from its `folder`; None for a folder of the user's own."""
    inside = str(path).startswith(f"{FOLDER}/")
    return "/".join(str(path).removeprefix(f"{FOLDER}/").split("/")[:2]) if inside else None


def transformers_models(config):
    """The models that judge and describe pictures: (path of keys, the mapping with it, its key).

    What stands there is a folder or, before `resolve`, a mapping with `repo`.
    """
    judges = config.get("evaluators", {})
    for key in ("clip", "preference"):
        if judges.get(key) is not None:
            yield ("evaluators", key), judges, key
    if isinstance(judges.get("features"), dict):
        yield ("evaluators", "features", "model"), judges["features"], "model"
    for name, captioner in config["captions"].items():
        if "model" in captioner:
            yield ("captions", name, "model"), captioner, "model"
