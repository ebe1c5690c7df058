"""What is promised of: docs."""

from __future__ import annotations

from tests.promises import Promise

DOCS: dict[str, Promise] = {
    "DOCS-served": Promise("design §5.3", "/openapi.yaml and /openapi.json serve the description of this version."),
    "DOCS-pages": Promise(
        "design §5.3", "/docs and /redoc load everything from the gateway, from installed assets and without a CDN."
    ),
    "DOCS-policy": Promise("design §5.3", "Pages run only scripts of the gateway: a strict Content-Security-Policy."),
    "DOCS-valid": Promise("design §5.3", "openapi.yaml is valid OpenAPI 3.1."),
    "DOCS-routes": Promise("design §5.3", "openapi.yaml names every route with its methods, and no other."),
    "DOCS-links": Promise("style §9", "Every relative link of README and docs leads to a file and a heading."),
    "DOCS-commands": Promise("style §9", "Every command and option that README and docs name exists."),
    "DOCS-make": Promise("style §9", "Every make target that README and docs name exists."),
    "DOCS-changelog": Promise("style §10", "CHANGELOG has an Unreleased section with entries."),
    "DOCS-examples": Promise("style §9", "Every YAML example loads as settings or as a scenario."),
    "DOCS-errors": Promise("design §5.3", "docs/errors.md lists every code with its status, and no other."),
    "DOCS-settings": Promise(
        "design §5.2", "docs/configuration.md lists every setting with its default, and no other."
    ),
    "DOCS-dialects": Promise("translation §1.1", "docs/dialects.md says of each field what the code does with it."),
    "DOCS-scripts": Promise("style §9", "docs/simulator.md lists the built-in scripts and every key of a scenario."),
    "DOCS-metrics": Promise("style §9", "docs/deployment.md lists every metric with its labels."),
    "DOCS-deploy": Promise(
        "design §6", "The files of deploy/ hold no event back and show no metrics; the image needs no root."
    ),
    "DOCS-clean": Promise(
        "design §6", "No file holds a secret, a path of a machine or the host of a package registry."
    ),
}
