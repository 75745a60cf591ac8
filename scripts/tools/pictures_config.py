"""Write the short config of a study of your own pictures, which extends config/pictures.yaml."""

import argparse

from emaki.common.errors import friendly
from emaki.config.own_pictures import write


@friendly
def main() -> None:
    arguments = parse_arguments()
    write(arguments.folder, arguments.output, arguments.caption_column)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="pictures, and captions as config/README.md says")
    parser.add_argument("--caption-column", help="column of the captions in a table (text)")
    parser.add_argument("--output", required=True, help="the YAML file to write")
    return parser.parse_args()


if __name__ == "__main__":
    main()
