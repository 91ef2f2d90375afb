"""main.py DB SERVER LOCKED_SERVER: redis-py, in every protocol it speaks, against SERVER's database DB."""

import importlib
import pathlib
import sys

import kit

for path in sorted((pathlib.Path(__file__).parent / "topics").glob("*.py")):
    importlib.import_module(f"topics.{path.stem}")

db, server, locked = sys.argv[1:]
results = [kit.run(kit.Env(server, int(db), protocol, locked)) for protocol in (2, 3)]
passed, failed = map(sum, zip(*results))
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
