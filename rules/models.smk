# Models from the hub, by commit: links into the hub's cache, shared by all studies.
HUB = "results/hub/{repo}/{revision}"
SD, SDXL = "StableDiffusionPipeline", "StableDiffusionXLPipeline"


rule hub_pipeline:
    input:
        script=ancient("scripts/hub_model.py"),
        code=code_of("scripts/hub_model.py"),
    output:
        [f"{HUB}/{file}" for file in hub_files(SD)],
    log:
        "logs/hub/{repo}/{revision}.log",
    wildcard_constraints:
        repo="[^/]+/[^/]+",
        revision=r"[0-9a-f]{40}(\+[0-9a-f]{40})?",
    localrule: True  # many clusters' nodes have no network
    conda:
        "../envs/training.yaml"
    params:
        commit=lambda w: w.revision.split("+")[0],
        files=hub_files(SD),
        folder=lambda w, output: str(Path(output[0]).parent),
        pipeline=f"--pipeline {SD}",
    shell:
        "python scripts/jobs/run.py --log {log} {input.script} --repo {wildcards.repo}"
        " --revision {params.commit} --folder {params.folder} --files {params.files:q}"
        " {params.pipeline}"


use rule hub_pipeline as hub_pipeline_xl with:
    output:
        [f"{HUB}/{file}" for file in hub_files(SDXL)],
    wildcard_constraints:
        repo=any_of(models.repositories(SDXL)),
    params:
        commit=lambda w: w.revision.split("+")[0],
        files=hub_files(SDXL),
        folder=lambda w, output: str(Path(output[0]).parent),
        pipeline=f"--pipeline {SDXL}",


ruleorder: hub_pipeline_xl > hub_pipeline


# How many files a pipeline's weights are in only its repository knows: their list stands for them.
use rule hub_pipeline as hub_pipeline_in_parts with:
    output:
        f"{HUB}/model_index.json",
        f"{HUB}/files.json",
    wildcard_constraints:
        repo=any_of(models.repositories_in_parts()),
        revision="[0-9a-f]{40}(-without-t5)?",
    params:
        commit=lambda w: w.revision.split("-")[0],
        files=lambda w: models.hub_files(w.repo, w.revision),
        folder=lambda w, output: str(Path(output[0]).parent),
        pipeline=lambda w: models.hub_arguments(w.repo, w.revision),


ruleorder: hub_pipeline_in_parts > hub_pipeline


# Evaluators and captioners: one model of transformers.
use rule hub_pipeline as hub_model with:
    output:
        f"{HUB}/config.json",
        f"{HUB}/model.safetensors",
    params:
        commit=lambda w: w.revision,
        files=["config.json", "model.safetensors"],
        folder=lambda w, output: str(Path(output[0]).parent),
        pipeline="",


# Larger ones may be in several files, whose number only the repository knows.
use rule hub_pipeline as hub_image_text with:
    output:
        f"{HUB}/files.json",
    params:
        commit=lambda w: w.revision,
        files=["config.json", "model*.safetensors"],
        folder=lambda w, output: str(Path(output[0]).parent),
        pipeline="",


ruleorder: hub_pipeline_in_parts > hub_image_text


# Raw weights are a variant of the same commit ...
rule hub_non_ema:
    input:
        script=ancient("scripts/hub_non_ema.py"),
        code=code_of("scripts/hub_non_ema.py"),
    output:
        f"{HUB}/unet/diffusion_pytorch_model.non_ema.safetensors",
    log:
        "logs/hub/{repo}/{revision}.non_ema.log",
    wildcard_constraints:
        repo="[^/]+/[^/]+",
        revision="[0-9a-f]{40}",
    localrule: True
    conda:
        "../envs/training.yaml"
    shell:
        "python scripts/jobs/run.py --log {log} {input.script} --repo {wildcards.repo}"
        " --revision {wildcards.revision} --variant --output {output:q}"


# ... or the U-Net of another one. The folder's name has both, so that studies do not collide.
rule hub_non_ema_revision:
    input:
        script=ancient("scripts/hub_non_ema.py"),
        code=code_of("scripts/hub_non_ema.py"),
    output:
        "results/hub/{repo}/{revision}+{non_ema}/unet/diffusion_pytorch_model.non_ema.safetensors",
    log:
        "logs/hub/{repo}/{revision}+{non_ema}.non_ema.log",
    wildcard_constraints:
        repo="[^/]+/[^/]+",
        revision="[0-9a-f]{40}",
        non_ema="[0-9a-f]{40}",
    localrule: True
    conda:
        "../envs/training.yaml"
    params:
        sha256=lambda w, output: (
            f"--sha256 {digest}" if (digest := models.non_ema_sha256(output[0])) else ""
        ),
    shell:
        "python scripts/jobs/run.py --log {log} {input.script} --repo {wildcards.repo}"
        " --revision {wildcards.non_ema} {params.sha256} --output {output:q}"
