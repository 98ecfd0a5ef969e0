"""Argo CD's health check and actions of a ChamberCluster, run by the rules of Argo CD's own test files, in Lua 5.1.

Argo CD runs them with one global, `obj`. Usage: argocd.py FOLDER CONFIGMAP [--bless]; the ConfigMap is the same scripts for an
Argo CD that does not have them.
"""

import re
import sys
from pathlib import Path

import yaml
from lupa.lua51 import LuaRuntime

KIND = "chamber.dev_ChamberCluster"
# What Argo CD's tests put in the place of a time.
NO_TIME = "0001-01-01T00:00:00Z"
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")


class Loader(yaml.SafeLoader):
    """Times stay text, as in an object of Kubernetes."""


Loader.yaml_implicit_resolvers = {
    key: [one for one in found if one[0] != "tag:yaml.org,2002:timestamp"]
    for key, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load(path):
    return yaml.load(path.read_text(), Loader)


def to_lua(lua, value):
    if isinstance(value, dict):
        return lua.table_from({key: to_lua(lua, one) for key, one in value.items()})
    if isinstance(value, list):
        return lua.table_from([to_lua(lua, one) for one in value])
    return value


def from_lua(lua, value, like):
    """A table is what the object had in its place, and else a map."""
    if lua.eval("type")(value) != "table":
        return value
    if isinstance(like, list):
        return [from_lua(lua, one, like[0] if like else None) for one in value.values()]
    like = like if isinstance(like, dict) else {}
    return {key: from_lua(lua, one, like.get(key)) for key, one in value.items()}


def run(script, obj):
    lua = LuaRuntime(unpack_returned_tuples=True)
    lua.globals().obj = to_lua(lua, obj)
    return from_lua(lua, lua.execute(script), obj)


def without_times(value):
    annotations = value["metadata"].get("annotations") or {}
    for key, text in annotations.items():
        if TIME.match(text):
            annotations[key] = NO_TIME
    return value


def health(folder):
    script = (folder / "health.lua").read_text()
    for test in load(folder / "health_test.yaml")["tests"]:
        found = run(script, load(folder / test["inputPath"]))
        yield f"health of {test['inputPath']}", found, test["healthStatus"]


def actions(folder):
    folder = folder / "actions"
    tests = load(folder / "action_test.yaml")
    discovery = (folder / "discovery.lua").read_text()
    for test in tests["discoveryTests"]:
        found = run(discovery, load(folder / test["inputPath"]))
        found = [{"name": name, **found[name]} for name in sorted(found)]
        yield f"actions of {test['inputPath']}", found, test["result"]
    for test in tests["actionTests"]:
        script = (folder / test["action"] / "action.lua").read_text()
        found = without_times(run(script, load(folder / test["inputPath"])))
        yield test["action"], found, load(folder / test["expectedOutputPath"])


def indented(text, spaces):
    return "".join(" " * spaces + line if line.strip() else line for line in text.splitlines(True))


def config_map(folder):
    """The scripts as a patch of the ConfigMap argocd-cm."""
    health_lua = indented((folder / "health.lua").read_text(), 4)
    discovery = indented((folder / "actions/discovery.lua").read_text(), 6)
    text = (
        "# Written from chamber.dev/ChamberCluster by tests/gitops: kubectl -n argocd patch configmap argocd-cm --patch-file argocd-cm.yaml\n"
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: argocd-cm, namespace: argocd}\ndata:\n"
        f"  resource.customizations.health.{KIND}: |\n{health_lua}"
        f"  resource.customizations.actions.{KIND}: |\n    discovery.lua: |\n{discovery}    definitions:\n"
    )
    for path in sorted((folder / "actions").glob("*/action.lua")):
        text += f"      - name: {path.parent.name}\n        action.lua: |\n{indented(path.read_text(), 10)}"
    return text


def main():
    folder, config = Path(sys.argv[1]), Path(sys.argv[2])
    written = config_map(folder)
    if "--bless" in sys.argv:
        config.write_text(written)
    checks = [*health(folder), *actions(folder)]
    checks.append(("the ConfigMap has the same scripts", config.read_text(), written))
    data = yaml.safe_load(written)["data"]
    listed = yaml.safe_load(data[f"resource.customizations.actions.{KIND}"])
    names = [one["name"] for one in listed["definitions"]]
    checks.append(("the ConfigMap can be read", names, ["abort", "pause", "resume", "retry"]))
    failed = 0
    for what, found, wanted in checks:
        if found != wanted:
            failed += 1
            print(f"FAILED  {what}: {found}, expected {wanted}")
    print(f"{len(checks) - failed} passed, {failed} failed")
    sys.exit(failed != 0)


main()
