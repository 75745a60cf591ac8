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
    "unrelated_clip_score": {
        "title": "Keeps unrelated prompts",
        "short": "Unrelated",
        "unit": "CLIPScore",
        "better": "up",
    },
}
VERDICTS = {
    "better": "better",
    "worse": "worse",
    "mixed": "mixed",
    "no clear difference": "unclear",
}
