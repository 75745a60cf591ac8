"""Choose the model of an experiment that is exported; write which it is as JSON."""

import argparse
from pathlib import Path

from emaki.common import digests
from emaki.common.errors import friendly
from emaki.common.files import replacing


@friendly
def main() -> None:
    arguments = parse_arguments()
    found = digests.read_json(arguments.answers)["recommendation"]
    recommended = found["take"] or found["baseline"]
    variant = arguments.take or recommended
    choice = {
        "variant": variant,
        "recommended": variant == found["take"],
        # a baseline is there already: it is exported only where the config asks for it
        "exported": arguments.take is not None or variant != found["baseline"],
        "sentence": f"{found['sentence']} {found['advice']}".strip(),
    }
    with replacing(arguments.output) as temporary:
        digests.write_json(temporary, choice)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=Path, required=True, help="what compare.py wrote")
    parser.add_argument("--take", help="the path of another model than the recommended one")
    parser.add_argument("--output", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
