"""Holds a Systems Manager document against the schema beside this file, and prints it as JSON: ssm.py DOCUMENT."""

import json
import pathlib
import sys

import yaml
from jsonschema import Draft202012Validator, FormatChecker

schema = json.loads((pathlib.Path(__file__).parent / "ssm-command.schema.json").read_text())
Draft202012Validator.check_schema(schema)
document = yaml.safe_load(pathlib.Path(sys.argv[1]).read_text())
errors = Draft202012Validator(schema, format_checker=FormatChecker()).iter_errors(document)
if complaints := [f"{error.json_path}: {error.message[:400]}" for error in errors]:
    sys.exit("\n".join(complaints))
print(json.dumps(document))
