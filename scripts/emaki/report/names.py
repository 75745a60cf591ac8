"""What the page calls things."""

# What a metric is called, at length and in a narrow column, and how a value of it is read.
METRICS = {
    "domain_clip_score": {
        "title": "Follows its prompts",
        "short": "Prompts",
        "unit": "CLIPScore",
        "better": "up",
    },
    "domain_kid": {
        "title": "Looks like the real pictures",
        "short": "Likeness",
        "unit": "KID × 1000",
        "better": "down",
    },
    "domain_cmmd": {
        "title": "Looks like them to CLIP",
        "short": "To CLIP",
        "unit": "CMMD × 1000",
        "better": "down",
    },
    "domain_preference": {
        "title": "Would be preferred",
        "short": "Preferred",
        "unit": "preference model's logit",
        "better": "up",
    },
    "unrelated_clip_score": {
        "title": "Keeps unrelated prompts",
        "short": "Unrelated",
        "unit": "CLIPScore",
        "better": "up",
    },
}
# Shown where the config asks for them.
OPTIONAL = {"domain_cmmd", "domain_preference"}
VERDICTS = {
    "better": "better",
    "worse": "worse",
    "mixed": "mixed",
    "no clear difference": "unclear",
}
