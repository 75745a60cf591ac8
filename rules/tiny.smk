# How the models in resources/ are made, of config/tiny.yaml. A workflow of its own: `make tiny`.
from snakemake.utils import min_version

min_version("9.27")


include: "common.smk"


from emaki.config import load_tiny_models
from emaki.data.sources import KIND as SOURCES
from emaki.families import DEFAULT, module_name
from emaki.workflow.code_files import code_with

try:
    tiny_models = load_tiny_models("config/tiny.yaml")
except UserError as error:
    sys.exit(f"error: {error}")
TINY = tiny_models.tiny
STUDY = f"results/{tiny_models.study}"
LOGS = f"logs/{tiny_models.study}"
BENCHMARKS = f"{STUDY}/benchmarks"
CHECKPOINT = f"{STUDY}/runs/base/{TINY['steps']:06d}"
CHECKPOINT_3 = f"{STUDY}/runs/sd3/{TINY['sd3_steps']:06d}"
FAMILY, FAMILY_3 = module_name(DEFAULT), module_name("StableDiffusion3Pipeline")
DRAWN = {source["type"] for corpus in TINY["corpora"].values() for source in corpus.values()}


rule tiny:
    default_target: True
    input:
        "resources/README.md",


rule tiny_corpus:
    input:
        script=ancient("scripts/tiny_corpus.py"),
        code=code_with("scripts/tiny_corpus.py", SOURCES, DRAWN),
    output:
        f"{STUDY}/corpora/{{corpus}}/data/{{split}}.parquet",
    log:
        f"{LOGS}/corpora/{{corpus}}/{{split}}.log",
    wildcard_constraints:
        split="train|validation",
    conda:
        "../envs/data.yaml"
    params:
        sources=lambda w: as_json(TINY["corpora"][f"{w.corpus}/{w.split}"]),
    shell:
        "python scripts/jobs/run.py --log {log} {input.script}"
        " --sources {params.sources:q} --output {output:q}"


rule tiny_vae:
    input:
        script=ancient("scripts/tiny_vae.py"),
        code=code_of("scripts/tiny_vae.py"),
        corpus=f"{STUDY}/corpora/vae/data/train.parquet",
    output:
        directory(f"{STUDY}/vae"),
    log:
        f"{LOGS}/vae.log",
    benchmark:
        f"{BENCHMARKS}/vae.tsv"
    conda:
        "../envs/training.yaml"
    params:
        training=as_json(TINY["vae"]),
    shell:
        "python scripts/jobs/run.py --log {log} {input.script} --corpus {input.corpus:q}"
        " --training {params.training:q} --output {output:q}"


rule tiny_text_models:
    input:
        script=ancient("scripts/tiny_{kind}.py"),
        code=lambda w: code_of(f"scripts/tiny_{w.kind}.py"),
        corpus=f"{STUDY}/corpora/clip/data/train.parquet",
        held_out=f"{STUDY}/corpora/clip/data/validation.parquet",
    output:
        directory(f"{STUDY}/{{kind}}"),
    log:
        f"{LOGS}/{{kind}}.log",
    benchmark:
        f"{BENCHMARKS}/{{kind}}.tsv"
    wildcard_constraints:
        kind="clip|blip|attributes",
    conda:
        "../envs/training.yaml"
    params:
        training=lambda w: as_json(TINY[w.kind]),
    shell:
        "python scripts/jobs/run.py --log {log} {input.script} --corpus {input.corpus:q}"
        " --held-out {input.held_out:q} --training {params.training:q} --output {output:q}"


rule tiny_start:
    input:
        script=ancient("scripts/tiny_pipeline.py"),
        code=code_of("scripts/tiny_pipeline.py"),
        vae=f"{STUDY}/vae",
        clip=f"{STUDY}/clip",
    output:
        directory(f"{STUDY}/start"),
    log:
        f"{LOGS}/start.log",
    conda:
        "../envs/training.yaml"
    params:
        unet=as_json(TINY["unet"]),
    shell:
        "python scripts/jobs/run.py --log {log} {input.script} --vae {input.vae:q}"
        " --clip {input.clip:q} --unet {params.unet:q} --output {output:q}"


rule tiny_latents:
    input:
        script=ancient("scripts/latents.py"),
        code=code_of("scripts/latents.py", FAMILY),
        corpora=expand(
            f"{STUDY}/corpora/base/data/{{split}}.parquet", split=["train", "validation"]
        ),
        start=f"{STUDY}/start",
    output:
        directory(f"{STUDY}/latents/base"),
    log:
        f"{LOGS}/latents.log",
    conda:
        "../envs/training.yaml"
    params:
        dataset=lambda w, input: str(Path(input.corpora[0]).parents[1]),
    shell:
        "python scripts/jobs/run.py --log {log} {input.script} --dataset {params.dataset:q}"
        " --model {input.start:q} --resolution 64 --output {output:q}"


# One job: a training that is stopped leaves its state behind and goes on from there.
rule tiny_base:
    input:
        script=ancient("scripts/train.py"),
        code=code_of("scripts/train.py", FAMILY),
        start=f"{STUDY}/start",
        latents=f"{STUDY}/latents/base",
    output:
        checkpoint=directory(CHECKPOINT),
        state=directory(f"{STUDY}/states/base"),
    log:
        f"{LOGS}/base.log",
    benchmark:
        f"{BENCHMARKS}/base.tsv"
    conda:
        "../envs/training.yaml"
    threads: TINY["base"]["threads"]
    params:
        run=as_json(TINY["base"]),
        steps=TINY["steps"],
    shell:
        "python scripts/jobs/run.py --log {log} {input.script} --name base --run {params.run:q}"
        " --model {input.start:q} --latents {input.latents:q} --to-step {params.steps}"
        " --output {output.checkpoint:q} --state-output {output.state:q}"


rule tiny_sd:
    input:
        script=ancient("scripts/tiny_pipeline.py"),
        code=code_of("scripts/tiny_pipeline.py"),
        start=f"{STUDY}/start",
        checkpoint=CHECKPOINT,
    output:
        directory("resources/tiny-sd"),
    log:
        f"{LOGS}/sd.log",
    conda:
        "../envs/training.yaml"
    shell:
        "python scripts/jobs/run.py --log {log} {input.script} --pipeline {input.start:q}"
        " --checkpoint {input.checkpoint:q} --output {output:q}"


# The same road for the transformer.
rule tiny_start_3:
    input:
        script=ancient("scripts/tiny_sd3.py"),
        code=code_of("scripts/tiny_sd3.py"),
        vae=f"{STUDY}/vae",
        clip=f"{STUDY}/clip",
    output:
        directory(f"{STUDY}/start-sd3"),
    log:
        f"{LOGS}/start-sd3.log",
    conda:
        "../envs/training.yaml"
    params:
        transformer=as_json(TINY["transformer"]),
    shell:
        "python scripts/jobs/run.py --log {log} {input.script} --vae {input.vae:q}"
        " --clip {input.clip:q} --transformer {params.transformer:q} --output {output:q}"


use rule tiny_latents as tiny_latents_3 with:
    input:
        script=ancient("scripts/latents.py"),
        code=code_of("scripts/latents.py", FAMILY_3),
        corpora=expand(
            f"{STUDY}/corpora/base/data/{{split}}.parquet", split=["train", "validation"]
        ),
        start=f"{STUDY}/start-sd3",
    output:
        directory(f"{STUDY}/latents/sd3"),
    log:
        f"{LOGS}/latents-sd3.log",


use rule tiny_base as tiny_base_3 with:
    input:
        script=ancient("scripts/train.py"),
        code=code_of("scripts/train.py", FAMILY_3),
        start=f"{STUDY}/start-sd3",
        latents=f"{STUDY}/latents/sd3",
    output:
        checkpoint=directory(CHECKPOINT_3),
        state=directory(f"{STUDY}/states/sd3"),
    log:
        f"{LOGS}/sd3-base.log",
    benchmark:
        f"{BENCHMARKS}/sd3.tsv"
    threads: TINY["sd3"]["threads"]
    params:
        run=as_json(TINY["sd3"]),
        steps=TINY["sd3_steps"],


rule tiny_sd3:
    input:
        script=ancient("scripts/tiny_sd3.py"),
        code=code_of("scripts/tiny_sd3.py"),
        start=f"{STUDY}/start-sd3",
        checkpoint=CHECKPOINT_3,
    output:
        directory("resources/tiny-sd3"),
    log:
        f"{LOGS}/sd3.log",
    conda:
        "../envs/training.yaml"
    shell:
        "python scripts/jobs/run.py --log {log} {input.script} --pipeline {input.start:q}"
        " --checkpoint {input.checkpoint:q} --output {output:q}"


rule tiny_card:
    input:
        script=ancient("scripts/tiny_card.py"),
        code=code_of("scripts/tiny_card.py", FAMILY, FAMILY_3),
        template="scripts/emaki/tiny/card.md.j2",
        sd="resources/tiny-sd",
        sd3="resources/tiny-sd3",
        vae=f"{STUDY}/vae",
        clip=f"{STUDY}/clip",
        blip=f"{STUDY}/blip",
        attributes=f"{STUDY}/attributes",
    output:
        clip=directory("resources/tiny-clip"),
        blip=directory("resources/tiny-blip"),
        attributes=directory("resources/tiny-attributes"),
        samples="resources/samples.png",
        card="resources/README.md",
    log:
        f"{LOGS}/card.log",
    conda:
        "../envs/training.yaml"
    params:
        settings=lambda w: as_json(TINY),  # the phrases of attributes have braces
        sampling=as_json(tiny_models.sampling.model_dump()),
        made=lambda w, input: str(Path(input.vae).parent),
    shell:
        "python scripts/jobs/run.py --log {log} {input.script} --settings {params.settings:q}"
        " --sampling {params.sampling:q} --made {params.made:q} --output resources"
