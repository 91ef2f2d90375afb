#!/usr/bin/env bash
# The image's and the compose file's syntax, and our shell scripts. The linters come from tests/install.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=/opt/respg-oracles/lint/bin:$PATH

hadolint docker/Dockerfile
yamllint --strict -c docker/.yamllint.yaml docker/compose.yaml
check-jsonschema --builtin-schema vendor.compose-spec docker/compose.yaml
git ls-files -z docker tests .ci/run | grep -zE '\.sh$|^\.ci/' | xargs -0 shellcheck
git ls-files -z '*.sh' | xargs -0 shellcheck --shell=bash --severity=error
