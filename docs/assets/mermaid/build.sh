#!/usr/bin/env bash
# Makes mermaid.js anew: the part of Mermaid that draws flow charts. Needs node and npm; who builds
# or reads the site needs neither. The theme takes Mermaid 11. Afterwards run tests/test_site.py.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

cp "$here/diagrams.js" "$here/bundle.mjs" "$work/"
cd "$work"
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$work" \
    mermaid@11.17.2 esbuild@0.28.2
node bundle.mjs
cp mermaid.js LICENSES.txt "$here/"
cd "$here"
sha256sum mermaid.js > SHA256SUMS
ls -l mermaid.js
