"""What runs in a contender's process: ``python -m benchmarks.child FUNCTION JSON``.

It imports nothing but what it has to: imports are among the things measured.
"""

import json
import sys
from importlib import import_module


def installed(module):
    """Import a module, or leave the process with the word that the table shows."""
    try:
        return import_module(module)
    except ModuleNotFoundError as missing:
        print(json.dumps({"error": f"not installed ({missing.name})"}))
        sys.exit(0)


def main():
    module, name = sys.argv[1].split(":")
    arguments = json.loads(sys.argv[2])
    processors = arguments.pop("processors", None)
    if processors is not None:
        # Before any library counts them.
        import os

        os.sched_setaffinity(0, processors)
    print(json.dumps(getattr(import_module(module), name)(**arguments)))


if __name__ == "__main__":
    main()
