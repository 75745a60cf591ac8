# What the rules ask of the config, in the order of the road.
SEGMENTS = [f"{run}/{step:06d}" for run in config["runs"] for step in steps_of(config, run)]
NEWEST = [f"{run}/{steps_of(config, run)[-1]:06d}" for run in config["runs"]]

PASSING = [
    segment
    for segment in SEGMENTS
    if int(Path(segment).name) not in kept_steps(config, str(Path(segment).parent))
]


# {source: {shard: path}} of those whose files are a shard each, in which the pictures stay.
ARCHIVED = {
    name: ARCHIVES[source["type"]].shards(source)
    for name, source in config["sources"].items()
    if source["type"] in ARCHIVES
}
# {source or dataset: names of its shards}, of those that are not in one piece.
SHARDED_SOURCES = {
    name: shards for name, source in config["sources"].items() if (shards := shards_of(source))
}
SHARDED = {
    name: SHARDED_SOURCES[dataset["source"]]
    for name, dataset in config["datasets"].items()
    if dataset["source"] in SHARDED_SOURCES
}
WHOLE = [name for name in config["datasets"] if name not in SHARDED]
PIECES = f"{pattern(WHOLE)}|({pattern(SHARDED)}){SHARD}"


def shards_of_dataset(path):
    """An input function: a file of each shard of the dataset that a wildcard names."""
    return lambda wildcards: [
        path.format(shard=shard, **wildcards) for shard in SHARDED[wildcards.dataset]
    ]


def source_config(wildcards):
    """The config's entry of a source, or of that which a shard is of."""
    name, *_ = Path(wildcards.source).parts
    return config["sources"][name]


def source_modules(wildcards):
    kind = source_config(wildcards)["type"]
    by_name = ["emaki.common.hub_client"] if kind == "hub_stream" else []
    return modules_of("scripts/images.py", f"emaki.data.sources.{kind}", *by_name)


def source_entry(wildcards):
    """What decides a source's pictures, as JSON; of a shard that is a file its own path."""
    name, _, shard = wildcards.source.partition("/shards/")
    source = {key: value for key, value in config["sources"][name].items() if key != "shards"}
    if shard:
        source["path"] = ARCHIVED[name][shard]
    return as_json(source)


def source_files(wildcards):
    """The user's own files that a source reads."""
    source = config["sources"][wildcards.source]
    kinds = {"folder": folder, "unsplash": unsplash}
    return kinds[source["type"]].inputs(source) if source["type"] in kinds else []


def source_stamps(wildcards):
    """What stands for the files whose names Snakemake cannot hold."""
    source = source_config(wildcards)
    return as_json(folder.stamps(source)) if source["type"] == "folder" else ""


def stored_pictures(source):
    """Where the pictures of a source or shard are: their folder, which shards share, or the tar.

    Those on the hub are brought by the jobs that read them.
    """
    name, _, shard = source.partition("/shards/")
    if name not in ARCHIVED:
        return f"{STUDY}/images/{name}/pictures"
    return [] if config["sources"][name]["type"] == "hub_stream" else ARCHIVED[name][shard]


def captions_below(wildcards):
    """The table that another captioner changes."""
    captioner = config["captions"][wildcards.captioner]
    below = f"{STUDY}/captions/{wildcards.source}/{captioner.get('of')}.parquet"
    return below if "of" in captioner else []


def edits_of(wildcards):
    """The user's table of captions that take the place of others."""
    captioner = config["captions"][wildcards.captioner]
    return captioner["path"] if captioner["type"] == "table" else []


def transformers_files(*folders):
    """What decides the output of models in folders that transformers wrote."""
    return [f"{path}/{file}" for path in folders for file in ("config.json", "model.safetensors")]


def blip_files(wildcards):
    return transformers_files(config["captions"][wildcards.captioner]["model"])


def image_text_files(wildcards):
    """All that transformers may read of such a model: settings, tokenizer, chat template, weights.

    Of one of the hub that is the list that its rule makes of it.
    """
    path = config["captions"][wildcards.captioner]["model"]
    if repository(path):
        return [f"{path}/files.json"]
    kinds = {".json", ".jinja", ".model", ".txt", ".safetensors"}
    return sorted(str(file) for file in Path(path).iterdir() if file.suffix in kinds)


def dataset_entry(wildcards):
    """The config's entry of a dataset, or of that which a shard is of."""
    return config["datasets"][wildcards.dataset.split("/")[0]]


def source_of(wildcards):
    """The source, or shard of it, that a dataset or shard is made of."""
    _, slash, shard = wildcards.dataset.partition("/")
    return f"{dataset_entry(wildcards)['source']}{slash}{shard}"


def images_of(file):
    """An input function: a file of the source that a dataset is made of."""
    return lambda wildcards: f"{STUDY}/images/{source_of(wildcards)}/{file}"


def captions_of(wildcards):
    captioner = dataset_entry(wildcards)["captions"]
    return f"{STUDY}/captions/{source_of(wildcards)}/{captioner}.parquet"


PIPELINE_FILES = {
    "unet": ["unet/config.json", "unet/diffusion_pytorch_model.safetensors"],
    "non_ema": ["unet/diffusion_pytorch_model.non_ema.safetensors"],
    "vae": ["vae/config.json", "vae/diffusion_pytorch_model.safetensors"],
    "text_encoder": ["text_encoder/config.json", "text_encoder/model.safetensors"],
    "tokenizer": ["tokenizer/tokenizer_config.json"],
    "scheduler": ["scheduler/scheduler_config.json"],
}


def model_files(model, *parts):
    """The files of a pipeline folder that a job reads."""
    path = config["models"][model]["path"]
    return [f"{path}/{file}" for part in parts for file in PIPELINE_FILES[part]]


def non_ema_sha256(output):
    """The digest of the pickle that raw weights from the hub are converted from, if one is."""
    models = [m for m in config["models"].values() if output.startswith(f"{m['path']}/")]
    digest = models[0].get("non_ema_sha256") if models else None
    return f"--sha256 {digest}" if digest else ""


def transform_arguments(wildcards):
    """How pictures are prepared, as its name in the path says: 64-flip."""
    resolution, _, flip = wildcards.transform.partition("-")
    return f"--resolution {resolution} --random-flip {int(bool(flip))}"


def name_of_run(wildcards):
    return str(Path(wildcards.segment).parent)


def run_of(wildcards):
    return config["runs"][name_of_run(wildcards)]


def training_env(wildcards):
    """xformers is built for another torch than the rest of the road uses."""
    variant = "-xformers" if run_of(wildcards)["attention"] == "xformers" else ""
    return f"../envs/training{variant}.yaml"


def latents_of(file):
    """An input function: a file of the cached latents that a run trains on."""

    def path(wildcards):
        run = run_of(wildcards)
        if file.endswith(".safetensors") and run["dataset"] in SHARDED:
            return []  # the manifest stands for those of the shards
        transform = f"{run['resolution']}{'-flip' if run['random_flip'] else ''}"
        return f"{STUDY}/latents/{run['dataset']}/{run['model']}/{transform}/{file}"

    return path


def trained_files(wildcards):
    """The base model's files that a training reads."""
    run = run_of(wildcards)
    begun = starts(run).values()
    parts = ["unet", "scheduler"] + (["non_ema"] if "non_ema" in begun else [])
    parts += ["text_encoder", "tokenizer"] if run.get("train_text_encoder") else []
    return [*model_files(run["model"], *parts), *chain.from_iterable(map(start_files, begun))]


def merged_files(wildcards):
    """The base model's files that a merge reads."""
    run = config["runs"][wildcards.run]
    parts = ["unet", "text_encoder"] if run["train_text_encoder"] else ["unet"]
    return model_files(run["model"], *parts)


def start_files(start):
    """The files that stand for a start from a checkpoint or a folder (see run.schema.yaml)."""
    if not isinstance(start, dict):
        return []
    if "folder" in start:
        weights = ["diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"]
        paths = [f"{start['folder']}/{file}" for file in weights]
        return [path for path in paths if path == paths[0] or Path(path).exists()]
    tuned = f"{STUDY}/runs/{start['run']}/{start['step']:06d}"
    return [f"{tuned}/checkpoint.json", ancient(f"{tuned}/weights")]


def with_folder(start):
    """A start as the trainer knows it: a checkpoint by its folder."""
    if not isinstance(start, dict) or "folder" in start:
        return start
    return {"folder": "{}/runs/{run}/{step:06d}/weights/{weights}".format(STUDY, **start)}


def step_before(wildcards):
    """The step at which a segment begins."""
    return int(Path(wildcards.segment).name) - run_of(wildcards)["checkpoint_every"]


def state_before(wildcards):
    """The state that a segment goes on from; a run's first segment has none."""
    before = step_before(wildcards)
    # Not `ancient`: after an interruption Snakemake 9.27.1 would take a segment whose only way to
    # an unfinished one is an `ancient` file for done, whether its outputs are there or not.
    return f"{STUDY}/states/{name_of_run(wildcards)}/{before:06d}" if before > 0 else []


def hyper_parameters(wildcards):
    """What decides the weights. Not among it is how far the run goes and where it stops."""
    elsewhere = {"model", "dataset", "extends", "recipe", "steps", "checkpoint_every", "keep"}
    run = {k: v for k, v in run_of(wildcards).items() if k not in elsewhere}
    run["train_init"] = with_folder(run["train_init"])
    if run["ema"]:
        run["ema"] = run["ema"] | {"init": with_folder(run["ema"]["init"])}
    return as_json(run)


def prompts_dataset(wildcards):
    """The dataset whose captions are the prompts."""
    dataset = config["prompts"][wildcards.prompts].get("dataset")
    splits = ["train", "validation"] if dataset else []
    return [f"{STUDY}/datasets/{dataset}/data/{split}.parquet" for split in splits]


def model_of(wildcards):
    """The name of a variant's base model."""
    first, second, *_ = wildcards.variant.split("/")
    return second if first == "base" else config["runs"][first]["model"]


def weights_of(wildcards):
    """What a variant puts into its base model: nothing, a checkpoint's weights or a merge."""
    run, step, *rest = wildcards.variant.split("/")
    if run == "base":
        return {}
    if config["runs"][run]["method"] == "full" and rest[-1] != "1.0":
        merge = f"{STUDY}/merges/{wildcards.variant}"
        return {"about": f"{merge}/merge.json", "weights": ancient(f"{merge}/config.json")}
    tuned = f"{STUDY}/runs/{run}/{step}"
    return {"about": f"{tuned}/checkpoint.json", "weights": ancient(f"{tuned}/weights")}


def weights_arguments(wildcards, input):
    run, _, *rest = wildcards.variant.split("/")
    if run == "base":
        return ""
    weights, strength = rest
    if config["runs"][run]["method"] == "lora":
        return f"--lora {input.weights}/{weights} --lora-scale {strength}"
    merged = strength != "1.0"
    return f"--unet {Path(input.weights).parent if merged else f'{input.weights}/{weights}'}"


def scores_of(experiment):
    """VARIANT:SET and the file of its scores, for all that an experiment compares."""
    plan = comparisons(config, experiment)
    return {
        f"{variant}:{prompts}": f"{STUDY}/scores/{variant}/{prompts}.parquet"
        for variant in plan["variants"]
        for prompts in plan["prompts"].values()
    }


def reference_of(wildcards):
    """The features of the real pictures that KID compares with."""
    return f"{STUDY}/references/{config['experiments'][wildcards.experiment]['reference']}.parquet"


JUDGES = config["evaluators"]
DINO = [JUDGES["features"]["model"]] if JUDGES["features"] != "efficientnet-lite0" else []
SCORING_FILES = transformers_files(*DINO, *filter(None, [JUDGES["preference"]]))
REFERENCE_FILES = transformers_files(*DINO, *([JUDGES["clip"]] if JUDGES["cmmd"] else []))


def samples_of(wildcards):
    """VARIANT:SET and the file of its samples, for all that a grid shows."""
    plan = grids(config, wildcards.experiment)[wildcards.grid]
    return {
        f"{column['variant']}:{prompts}": f"{STUDY}/samples/{column['variant']}/{prompts}.parquet"
        for column in plan["columns"]
        for prompts, _ in plan["rows"]
    }


GRIDS = {
    f"{experiment}/{grid}": f"{STUDY}/grids/{experiment}/{grid}.png"
    for experiment in config["experiments"]
    for grid in grids(config, experiment)
}
# What the page shows. A run that no experiment asks for is not trained for it.
SHOWN = {run for entry in config["experiments"].values() for run in entry["runs"]}
METRICS = {
    segment: f"{STUDY}/runs/{segment}/metrics.parquet"
    for segment in SEGMENTS
    if str(Path(segment).parent) in SHOWN
}
SEEN = {config["runs"][run]["dataset"] for run in trained(config)}
SEEN |= {entry["reference"] for entry in config["experiments"].values()}
DATASETS = [f"{STUDY}/datasets/{dataset}" for dataset in config["datasets"] if dataset in SEEN]
