"""Holds JSON to its schema in docs/sluicectl.schema.json: check.py NAME <JSON, one value or a value a line.

Stricter than readers are asked to be: a key that the schema does not have is wrong, since it would be stable from the
day it is released without being written down.
"""

import functools
import json
import pathlib
import sys

import jsonschema

SCHEMA = pathlib.Path(__file__).resolve().parents[2] / "docs/sluicectl.schema.json"


def strict(schema):
    """The same where every object has the keys that it names and no others."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    copy = {key: strict(part) for key, part in schema.items()}
    if "properties" in copy and "type" in copy:
        copy["additionalProperties"] = False
    return copy


@functools.cache
def validator_of(name):
    schema = strict(json.loads(SCHEMA.read_text()))
    if name not in schema["$defs"]:
        raise KeyError(f"docs/sluicectl.schema.json has no {name}")
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": schema["$defs"]})


def problems(name, value):
    """What is wrong with a value, a line each."""
    return [f"{name}: {error.json_path}: {error.message}" for error in validator_of(name).iter_errors(value)]


def read(text):
    try:
        return [json.loads(text)]
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines()]


def main():
    values = read(sys.stdin.read())
    found = [problem for value in values for problem in problems(sys.argv[1], value)]
    print("\n".join(found[:10]))
    if not values:
        print("nothing to be held to a schema")
    return 1 if found or not values else 0


if __name__ == "__main__":
    sys.exit(main())
