# What jobs ask of a scheduler. A profile that has GPUs to give says how many (`resources: gpu=N`),
# and jobs with a model ask for theirs; elsewhere they take what PyTorch finds. A profile must give
# at least one: Snakemake cuts a request down to what there is, without a word and down to none.
from emaki.workflow.resources import DrawingResources, TrainingResources, megabytes, minutes

# The Snakemake that a cluster job runs is not told, but has the environment.
if snakemake_internals.offers(workflow, "gpu"):
    os.environ.update(EMAKI_GPUS="1")
GPU = int("EMAKI_GPUS" in os.environ)
training_resources = TrainingResources(study, gives_gpus=bool(GPU))
drawing_resources = DrawingResources(study, drawing)
