"""The bill of materials: everything that the lock installs, as CycloneDX 1.6 JSON.

``python -m release.sbom > sbom.json``. Names, versions and hashes come from the lock; licences and
what needs what from the packages as installed. What the lock holds for another platform or another
Python is in the bill without these two. The same lock and packages give the same bytes: there is no
time in it, and its number derives from the lock.
"""

import json
import re
import sys
import tomllib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+)(?: ; (?P<marker>[^\\]*?))? ?\\?$")
_HASH = re.compile(r"^    --hash=sha256:(?P<digest>[0-9a-f]{64})(?: \\)?$")
_NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Pin:
    """One line of the lock. ``marker``: where it is wanted, "" for everywhere."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]

    @property
    def purl(self) -> str:
        return f"pkg:pypi/{self.name}@{self.version}"


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(text: str) -> list[Pin]:
    """The pins of a lock, in its order.

    Raises:
        ValueError: a line that is neither a pin nor a hash, or a pin without a hash.
    """
    found: list[tuple[re.Match[str], list[str]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if pin := _PIN.match(line):
            found.append((pin, []))
        elif (one := _HASH.match(line)) and found:
            found[-1][1].append(one["digest"])
        else:
            raise ValueError(f"line {number} of the lock is neither a pin nor a hash")
    if bare := [pin["name"] for pin, hashes in found if not hashes]:
        raise ValueError(f"{bare[0]} has no hash in the lock")
    return [
        Pin(normal(pin["name"]), pin["version"], pin["marker"] or "", tuple(sorted(hashes)))
        for pin, hashes in found
    ]


def bill(pins: Sequence[Pin], project: Mapping[str, Any]) -> dict[str, Any]:
    """The document, for the pins and the ``[project]`` of pyproject.toml."""
    installed = {normal(one.name): one for one in distributions()}
    here = {pin: installed.get(pin.name) for pin in pins}
    root = f"pkg:pypi/{project['name']}@{project['version']}"
    needed = [*project["dependencies"], *project["optional-dependencies"]["build"]]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, root + repr(pins))}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": project["name"],
                "version": project["version"],
                "description": project["description"],
                "licenses": [{"expression": project["license"]}],
                "purl": root,
            }
        },
        "components": [_component(pin, installed.get(pin.name)) for pin in pins],
        "dependencies": [
            {"ref": root, "dependsOn": _refs(needed, pins)},
            *(
                {"ref": pin.purl, "dependsOn": _refs(one.requires or [] if one else [], pins)}
                for pin, one in here.items()
            ),
        ],
    }


def _component(pin: Pin, installed: Distribution | None) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": pin.purl,
        "name": pin.name,
        "version": pin.version,
        "purl": pin.purl,
        # One package is several files, for each platform its own: any of these may be installed.
        "externalReferences": [
            {
                "type": "distribution",
                "url": pin.purl,
                "hashes": [{"alg": "SHA-256", "content": digest} for digest in pin.hashes],
            }
        ],
    }
    if (
        installed is not None
        and installed.version == pin.version
        and (said := _licences(installed))
    ):
        component["licenses"] = said
    if pin.marker:
        component["properties"] = [{"name": "python:marker", "value": pin.marker}]
    return component


def _licences(installed: Distribution) -> list[dict[str, Any]]:
    """As the package says it: an expression, else its classifiers, else the name it gives."""
    about = installed.metadata
    if expressions := about.get_all("License-Expression"):
        return [{"expression": expressions[0]}]
    classifiers = about.get_all("Classifier") or []
    names = [c.split(" :: ")[-1] for c in classifiers if c.startswith("License :: ")]
    if not names:  # some put the whole text there
        names = [given.splitlines()[0] for given in about.get_all("License") or [] if given]
    return [{"license": {"name": name}} for name in dict.fromkeys(names) if name]


def _refs(requirements: Sequence[str], pins: Sequence[Pin]) -> list[str]:
    """The pins that these may ask for; what only an extra asks for counts if the lock has it."""
    wanted = {normal(found[0]) for one in requirements if (found := _NAME.match(one))}
    return sorted(pin.purl for pin in pins if pin.name in wanted)


def main() -> None:
    pins = locked((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    json.dump(bill(pins, project), sys.stdout, indent=1, sort_keys=True)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
