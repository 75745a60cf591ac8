from snakemake.utils import min_version

min_version("9.27")


include: "rules/common.smk"
include: "rules/study.smk"
include: "rules/resources.smk"
include: "rules/models.smk"
include: "rules/images.smk"
include: "rules/captions.smk"
include: "rules/datasets.smk"
include: "rules/latents.smk"
include: "rules/train.smk"
include: "rules/merge.smk"
include: "rules/samples.smk"
include: "rules/scores.smk"
include: "rules/nearest.smk"
include: "rules/votes.smk"
include: "rules/report.smk"
include: "rules/best.smk"
include: "rules/onstart.smk"


rule all:
    default_target: True
    input:
        "results/report.html",
