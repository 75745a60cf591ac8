"""Write what is made of the settings' classes: config/schema.json and config/README.md's tables."""

import json
from pathlib import Path

from emaki.config.description import fill_tables, json_schema

CONFIG = Path(__file__).parents[2] / "config"


def describe_settings() -> dict[Path, str]:
    """{file: its text} as the classes have it."""
    readme, schema = CONFIG / "README.md", CONFIG / "schema.json"
    return {
        readme: fill_tables(readme.read_text("utf-8")),
        schema: f"{json.dumps(json_schema(), indent=1, ensure_ascii=False)}\n",
    }


if __name__ == "__main__":
    for path, text in describe_settings().items():
        path.write_text(text, "utf-8")
