MERGE = f"{STUDY}/merges/{{run}}/{{step}}/{{weights}}/{{scale}}"


rule merge:
    input:
        script=ancient("scripts/merge.py"),
        code=lambda w: variants.merge_code(w.run),
        model=lambda w: variants.merge_model_files(w.run),
        tuned=f"{STUDY}/runs/{{run}}/{{step}}/checkpoint.json",
        weights=ancient(f"{STUDY}/runs/{{run}}/{{step}}/weights"),
    output:
        about=f"{MERGE}/merge.json",
        config=f"{MERGE}/config.json",
        denoiser=f"{MERGE}/diffusion_pytorch_model.safetensors",
    log:
        f"{LOGS}/merges/{{run}}/{{step}}/{{weights}}/{{scale}}.log",
    benchmark:
        f"{BENCHMARKS}/merges/{{run}}/{{step}}/{{weights}}/{{scale}}.tsv"
    wildcard_constraints:
        run=any_of(variants.full_runs),
    conda:
        "../envs/data.yaml"
    resources:
        runtime=minutes(30),
        mem_mb=megabytes(1000, copies=3),
    params:
        model=lambda w: variants.merge_model(w.run),
        tuned=lambda w, input: f"{input.weights}/{w.weights}",
        folder=folder_of("about"),
    shell:
        "python scripts/jobs/run.py --log {log} {input.script} --model {params.model:q}"
        " --tuned {params.tuned:q} --alpha {wildcards.scale} --output {params.folder:q}"


use rule merge as merge_text_encoder with:
    output:
        about=f"{MERGE}/merge.json",
        config=f"{MERGE}/config.json",
        denoiser=f"{MERGE}/diffusion_pytorch_model.safetensors",
        text_encoder=directory(f"{MERGE}/text_encoder"),
    wildcard_constraints:
        run=any_of(variants.with_text_encoder),


use rule merge as merge_text_encoders with:
    output:
        about=f"{MERGE}/merge.json",
        config=f"{MERGE}/config.json",
        denoiser=f"{MERGE}/diffusion_pytorch_model.safetensors",
        text_encoder=directory(f"{MERGE}/text_encoder"),
        text_encoder_2=directory(f"{MERGE}/text_encoder_2"),
    wildcard_constraints:
        run=any_of(variants.with_text_encoders),


ruleorder: merge_text_encoders > merge_text_encoder > merge
