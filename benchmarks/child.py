"""Entry point of a contender's process: ``python -m benchmarks.child FUNCTION JSON``.

It imports only what it needs, because the time and memory of imports are measured too.
"""

import json
import sys
from importlib import import_module


def require(module):
    """Import and return a module, or end the process with an error for the table."""
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
        # Libraries count the processors when they are imported.
        import os

        os.sched_setaffinity(0, processors)
    print(json.dumps(getattr(import_module(module), name)(**arguments)))


if __name__ == "__main__":
    main()
