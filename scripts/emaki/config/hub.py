"""What a config names by repository and commit of the hub, and the folder where it will lie."""

FOLDER = "results/hub"


def resolve(config, file):
    """Put its folder in the place of each model of the hub; yield mistakes as checks do.

    A base model keeps its mapping and gets a `path`. `file` is the config's, for the message.
    """
    missing = f"is missing: `make pin CONFIG={file}` prints the commit to put in"
    for name, model in config["models"].items():
        if "repo" in model and "path" not in model:
            if "revision" not in model:
                yield ("models", name, "revision"), missing
            model["path"] = folder(model)
        model.setdefault("path", ".")
    for where, holder, key in transformers_models(config):
        if isinstance(holder[key], dict):
            if "revision" not in holder[key]:
                yield (*where, "revision"), missing
            holder[key] = folder(holder[key])
    for name, source in config["sources"].items():
        if source["type"] == "hub" and "revision" not in source:
            yield (
                ("sources", name, "revision"),
                f"{missing}; if {source['repo']} is gone, give sources.{name} another value: "
                "{type: hub, repo: owner/name}, {type: folder, path: my/pictures} or "
                "{type: dicebear, style: critters, count: 720}",
            )


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
