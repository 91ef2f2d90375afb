"""Reads `cargo metadata`: every package's licence must be one that .deny.toml allows, and its source crates.io."""

import json
import re
import sys
import tomllib

CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"


def satisfied(expression, allowed):
    """Evaluates an SPDX expression; `/` is the old way to write OR, and WITH adds permissions only."""
    expression = re.sub(r" WITH [\w.-]+", "", (expression or "none").replace("/", " OR "))
    words = re.findall(r"\(|\)|[\w.+-]+", expression)
    python = {"AND": "and", "OR": "or", "(": "(", ")": ")"}
    return eval(" ".join(python.get(word, str(word in allowed)) for word in words))


def main():
    with open(sys.argv[1], "rb") as file:
        allowed = set(tomllib.load(file)["licenses"]["allow"])
    packages = json.load(sys.stdin)["packages"]
    wrong = 0
    for package in packages:
        if not satisfied(package["license"], allowed):
            print(f"{package['name']} {package['version']}: licence {package['license']} is not allowed")
            wrong += 1
        if package["source"] not in (None, CRATES_IO):
            print(f"{package['name']} {package['version']}: from {package['source']}")
            wrong += 1
    print(f"{len(packages)} packages, {wrong} objections")
    return 1 if wrong else 0


sys.exit(main())
