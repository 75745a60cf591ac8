wildcard_constraints:
    variant=rf"base/({names('models')})|({names('runs')})/\d+/(raw|ema)/-?\d+\.\d+",


def prompts_dataset(wildcards):
    """The dataset whose captions are the prompts."""
    dataset = config["prompts"][wildcards.prompts].get("dataset")
    splits = ["train", "validation"] if dataset else []
    return [f"{STUDY}/datasets/{dataset}/data/{split}.parquet" for split in splits]


def model_of(variant):
    first, second, *_ = variant.split("/")
    return second if first == "base" else config["runs"][first]["model"]


def weights_of(wildcards):
    """What a variant puts into its base model: nothing, a checkpoint's weights or a merge."""
    run, step, *rest = wildcards.variant.split("/")
    if run == "base":
        return {}
    weights, strength = rest
    if config["runs"][run]["method"] == "full" and strength != "1.0":
        merge = f"{STUDY}/merges/{wildcards.variant}"
        return {"about": f"{merge}/merge.json", "weights": ancient(f"{merge}/config.json")}
    folder = f"{STUDY}/runs/{run}/{step}"
    return {
        "about": f"{folder}/checkpoint.json",
        "weights": ancient(f"{folder}/weights"),
    }


def weights_arguments(wildcards, input):
    run, *rest = wildcards.variant.split("/")
    if run == "base":
        return ""
    _, weights, strength = rest
    if config["runs"][run]["method"] == "lora":
        return f"--lora {input.weights}/{weights} --lora-scale {strength}"
    return (
        f"--unet {input.weights}/{weights}"
        if strength == "1.0"
        else f"--unet {Path(input.weights).parent}"
    )


rule prompts:
    input:
        script="scripts/prompts.py",
        modules=modules_of("scripts/prompts.py"),
        dataset=prompts_dataset,
    output:
        f"{STUDY}/prompts/{{prompts}}.parquet",
    log:
        f"{LOGS}/prompts/{{prompts}}.log",
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        prompts=entry_of("prompts", "prompts"),
        dataset=lambda wildcards, input: (
            f"--dataset {Path(input.dataset[0]).parents[1]}" if input.dataset else ""
        ),
    shell:
        "python scripts/run.py --log {log} {input.script} --prompts {params.prompts:q}"
        " {params.dataset} --output {output:q}"


rule sample:
    input:
        unpack(weights_of),
        script="scripts/sample.py",
        modules=modules_of("scripts/sample.py"),
        prompts=f"{STUDY}/prompts/{{prompts}}.parquet",
        model=lambda wildcards: model_files(
            model_of(wildcards.variant), "unet", "vae", "text_encoder", "tokenizer", "scheduler"
        ),
    output:
        f"{STUDY}/samples/{{variant}}/{{prompts}}.parquet",
    log:
        f"{LOGS}/samples/{{variant}}/{{prompts}}.log",
    benchmark:
        f"{BENCHMARKS}/samples/{{variant}}/{{prompts}}.tsv"
    conda:
        "../envs/evaluation.yaml"
    params:
        model=lambda wildcards: config["models"][model_of(wildcards.variant)]["path"],
        weights=weights_arguments,
        sampling=as_json(config["sampling"]),
        # Keeps every picture under what made it, so that a new prompt draws only its own.
        store=f"{STUDY}/pictures",
    shell:
        "python scripts/run.py --warm --log {log} {input.script} --model {params.model:q}"
        " {params.weights} --sampling {params.sampling:q} --prompts {input.prompts:q}"
        " --store {params.store:q} --label {wildcards.variant}/{wildcards.prompts}"
        " --output {output:q}"
