# The study of the config file, and where everything of it lies.
from emaki.workflow.command_line import keep_study, load_study
from emaki.workflow.data_files import DataFiles
from emaki.workflow.drawing_files import DrawingFiles
from emaki.workflow.evaluation_files import EvaluationFiles
from emaki.workflow.model_files import ModelFiles, hub_files
from emaki.workflow.parts import files_in
from emaki.workflow.patterns import any_of, or_shard, shards_of
from emaki.workflow.training_files import TrainingFiles, last_step, run_name, transform_arguments
from emaki.workflow.variant_files import VariantFiles

config_files = snakemake_internals.config_files(workflow)
try:
    study = load_study(config_files, snakemake_internals.config_arguments(workflow))
    data = DataFiles(study)
except UserError as error:
    sys.exit(f"error: {error}")
write_digests(
    entry.type
    for entries in (study.sources, study.captions, study.measures)
    for entry in entries.values()
)
# What is large in it (prompts, comparisons, grids), jobs read there: a command has no room. That
# they depend on it their parameters say.
STUDY_FILE = keep_study(study)
os.environ.update(EMAKI_STUDY=STUDY_FILE)
models = ModelFiles(study)
training = TrainingFiles(study, data.dataset_shards)
variants = VariantFiles(study)
evaluation = EvaluationFiles(
    study,
    # what a look found, once its file is there: until then `get` puts the planning off
    find_look=lambda number: checkpoints.look.get(look=number) and evaluation.read_look(number),
)
drawing = DrawingFiles(evaluation, variants)

STUDY = f"results/{study.study}"
LOGS = f"logs/{study.study}"
BENCHMARKS = f"{STUDY}/benchmarks"


wildcard_constraints:
    source=or_shard(study.sources),
    captioner=any_of(study.captions),
    dataset=or_shard(study.datasets),
    model=any_of(study.models),
    measure=any_of(study.measures),
    prompts=any_of(study.prompts),
    environment=any_of(drawing.environments),
    owner=any_of(drawing.owners),
    block=r"\d+",
    run=any_of(variants.runs),
    experiment=any_of(study.experiments),
    step=r"\d{6}",
    weights="raw|ema",
    scale=r"-?\d+\.\d+",
    transform=r"\d+(-flip)?",
