# make report                    the notebook in miniature -> results/report.html
# make report PICTURES=folder    the same questions about your own pictures
# make report CONFIG=file.yaml   your own study
# make best CONFIG=file.yaml     the recommended models, to use elsewhere -> results/{study}/best/ (EXPERIMENT=)
# make plan CONFIG=file.yaml     what it would take: time, memory, disk, cost (PROFILE=: on what)
# make preflight CONFIG=file.yaml   whether all is there that it needs, before it downloads anything
# make rehearse CONFIG=file.yaml    its own road in two steps and a few pictures (PROFILE=)
# make pin CONFIG=file.yaml      the commits of the hub that it lacks, to put in
# make accept CONFIG=file.yaml     keep results whose code changed without effect; the report says so
# make report PROFILE=slurm      somewhere else than here: profiles/README.md
# make test                      everything that must hold, with its own set-up
PYTHON ?= python3
CONFIG ?=
PICTURES ?=
EXPERIMENT ?=
PROFILE ?= local
BIN := .venv/bin
export PYTHONPATH := scripts
INSTALLED := .venv/installed
SNAKEMAKE = PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/snakemake --profile profiles/$(PROFILE)

ifneq ($(PICTURES),)
ifneq ($(CONFIG),)
$(error give PICTURES or CONFIG, not both)
endif
CONFIG := results/pictures.yaml
endif

.PHONY: report best config plan preflight rehearse pin accept unlock resume test test-slow test-slurm test-slurm-whole test-envs test-full-scale test-cloud test-faults lint licences audit tiny settings lock

report: config
	@$(if $(CONFIG),$(BIN)/python scripts/tools/check.py "$(CONFIG)")
	@$(SNAKEMAKE) results/report.html --logger bars $(if $(CONFIG),--configfile "$(CONFIG)")
	@echo "The report is $(CURDIR)/results/report.html"

# The models that the report recommends, each in a folder with its card.
BEST = scripts/tools/best.py $(if $(CONFIG),--config "$(CONFIG)") $(if $(EXPERIMENT),--experiment "$(EXPERIMENT)")
best: config
	@folders=$$($(BIN)/python $(BEST)) \
	    && $(SNAKEMAKE) $$folders --logger bars $(if $(CONFIG),--configfile "$(CONFIG)") \
	    && $(BIN)/python $(BEST) --tell

# The config that a folder of pictures stands for.
config: $(INSTALLED)
	@$(if $(PICTURES),$(BIN)/python scripts/tools/pictures_config.py "$(PICTURES)" --output $(CONFIG))

# What a study would take, without running it.
plan: config
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python scripts/tools/plan.py --profile profiles/$(PROFILE) \
	    $(if $(CONFIG),--config "$(CONFIG)")

# Hub, licences, disk, GPU, memory, time and price, a line each.
preflight: config
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python scripts/tools/preflight.py \
	    --profile profiles/$(PROFILE) $(if $(CONFIG),--config "$(CONFIG)")

# A study's own road in little, on the machine that is there.
rehearse: config
	@report=$$($(BIN)/python scripts/tools/rehearse.py --output results/rehearsal.yaml \
	    $(if $(CONFIG),--config "$(CONFIG)")) \
	    && $(SNAKEMAKE) "$$report" --logger bars --configfile results/rehearsal.yaml \
	    && echo "The road is free; the rehearsal's report is $(CURDIR)/$$report"

# The commits of the hub's repositories that a config lacks.
pin: $(INSTALLED)
	@$(BIN)/python scripts/tools/pin.py $(if $(CONFIG),--config "$(CONFIG)")

# Results whose code changed without effect count as made by the code that is there.
accept: config
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python scripts/tools/accept.py --profile profiles/$(PROFILE) \
	    $(if $(CONFIG),--config "$(CONFIG)")

# After a run that was killed outright (Ctrl-C needs nothing): let go of the folder.
unlock: $(INSTALLED)
	@$(SNAKEMAKE) --unlock $(if $(CONFIG),--configfile "$(CONFIG)")

# After a Snakemake that was killed on a cluster: end its jobs, let go of the folder, go on.
resume: $(INSTALLED)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python scripts/jobs/resume.py results/report.html \
	    --profile profiles/$(PROFILE) $(if $(CONFIG),--configfile "$(CONFIG)")

# Tests that lack something (a browser) are skipped, and at the end the reasons are told.
test: lint
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -rs

# Trainings and studies run again another way, to the same bytes: minutes.
test-slow: $(INSTALLED)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m slow

# The training environment from its file: downloads the CUDA build of PyTorch (GBs).
test-envs: $(INSTALLED)
	EMAKI_TEST_ENVS=1 $(BIN)/python -m pytest tests/envs

# The task for SkyPilot, read and tried dry by SkyPilot; its packages conflict with ours.
test-cloud:
	test -x .venv-cloud/bin/sky || { $(PYTHON) -m venv .venv-cloud \
	    && .venv-cloud/bin/python -m pip install --quiet "skypilot[lambda]==0.14.1"; }
	.venv-cloud/bin/python tests/envs/check_cloud.py

# config/sd14.yaml in miniature from nothing to its report, on a hub on loopback: minutes.
test-full-scale: $(INSTALLED)
	EMAKI_TEST_FULL_SCALE=1 $(BIN)/python -m pytest tests/hub/test_notebook.py

# 500 configs with seeded mistakes; 288 seeded faults of a small study: an hour and more on two cores.
test-faults: $(INSTALLED)
	EMAKI_FAULTS=$${EMAKI_FAULTS:-288} EMAKI_MUTATIONS=500 $(BIN)/python -m pytest \
	    tests/config/test_mutations.py tests/workflow/test_faults.py

# A real SLURM on this machine, with pretended nodes and GPUs. Needs root on Debian, or SLURM.
test-slurm: $(INSTALLED)
	$(BIN)/python -m pytest tests/slurm -m slurm

# The whole miniature, here and there: an hour or more on two cores.
test-slurm-whole: report
	EMAKI_TEST_WHOLE=1 $(BIN)/python -m pytest tests/slurm/test_whole.py -m slurm -s

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/python envs/lock.py --check
	$(BIN)/python -m mypy
	$(SNAKEMAKE) --lint
	$(SNAKEMAKE) --lint --snakefile rules/tiny.smk

# The tiny models in resources/, made again from nothing: hours on two cores.
tiny: $(INSTALLED)
	$(SNAKEMAKE) --snakefile rules/tiny.smk

# After a change of a setting's class: config/schema.json and the tables of config/README.md.
settings: $(INSTALLED)
	$(BIN)/python scripts/tools/describe_settings.py

# The licence of every pinned package, from what is installed.
licences: $(INSTALLED)
	@$(BIN)/python scripts/tools/licences.py

# Known vulnerabilities of every pinned package, from a copy of pypa/advisory-database: ADVISORIES=folder.
audit: $(INSTALLED)
	@$(BIN)/python scripts/tools/audit.py --advisories "$(ADVISORIES)"

lock: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.9.30
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python envs/lock.py

$(INSTALLED): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "error: $(PYTHON) is older than Python 3.11; name another: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@
