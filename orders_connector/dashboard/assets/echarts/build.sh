#!/usr/bin/env bash
# Makes echarts.js anew: the parts of Apache ECharts that the dashboard uses. Needs node and npm;
# users need neither. Afterwards run the tests of tests/dashboard.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

cp "$here/chart_parts.js" "$work/"
cd "$work"
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$work" \
    echarts@6.1.0 zrender@6.1.0 tslib@2.3.0 esbuild@0.28.2
cp node_modules/echarts/LICENSE "$here/LICENSE"
cp node_modules/echarts/NOTICE "$here/NOTICE"
cp node_modules/echarts/licenses/LICENSE-d3 "$here/LICENSE-d3"
cp node_modules/zrender/LICENSE "$here/LICENSE-zrender"
# The page is handed on as one file, so the notices must be in the code itself.
{
    echo "/*!"
    cat "$here/NOTICE"
    printf '\n\nLicensed under the Apache License 2.0: https://www.apache.org/licenses/LICENSE-2.0\n'
    printf 'A part of it, changed only by bundling. It holds zrender and code of d3:\n\n'
    cat "$here/LICENSE-zrender" "$here/LICENSE-d3"
    printf '\n*/\n'
} > banner.js
./node_modules/.bin/esbuild chart_parts.js --bundle --minify --format=iife --global-name=echarts \
    --target=es2020 --legal-comments=none --log-level=warning --outfile=bundle.js
cat banner.js bundle.js > "$here/echarts.js"
cd "$here"
sha256sum echarts.js > SHA256SUMS
ls -l echarts.js
