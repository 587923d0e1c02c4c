#!/usr/bin/env bash
# Installs what the suites beside npm test meet for real. Nothing of it is needed by a user, or by npm test.
set -eu
need() { command -v "$1" >/dev/null 2>&1; }
if ! need redis-server || ! need bwrap || [ ! -d /usr/lib/postgresql ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq redis-server bubblewrap postgresql >/dev/null
fi
redis-server --version
bwrap --version
# Tests of Python handlers are left out without it; here that is a failure too.
python3 -c 'import sys; assert sys.version_info >= (3, 11), sys.version; print(sys.version)'
# The tests inside a sandbox are left out where it does not work; here that is a failure, not a choice.
bwrap --ro-bind / / --unshare-all true
# Azure's storage emulator. Its newest release is pinned; kept out of package.json, since it brings 190 MB along.
cache="${JOBFERRY_PEERS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/jobferry-peers}"
azurite=3.37.0
if [ "$(cat "$cache/azurite/version" 2>/dev/null)" != "$azurite" ]; then
  mkdir -p "$cache/azurite"
  install_azurite() { npm install --no-audit --no-fund --loglevel=error --prefix "$cache/azurite" "azurite@$azurite"; }
  install_azurite || install_azurite # a registry may stumble once
  echo "$azurite" > "$cache/azurite/version"
fi
echo "azurite $azurite"
# A client of OpenFaaS's gateway, generated from its own description; old, and full of old packages: kept out, too.
client=0.0.2
if [ "$(cat "$cache/openfaas-client/version" 2>/dev/null)" != "$client" ]; then
  mkdir -p "$cache/openfaas-client"
  install_client() {
    npm install --no-audit --no-fund --loglevel=error --prefix "$cache/openfaas-client" "openfaas-client@$client"
  }
  install_client || install_client
  echo "$client" > "$cache/openfaas-client/version"
fi
echo "openfaas-client $client"
# The oldest runtime that packages are made for.
node18=18.20.8
if [ "$(cat "$cache/node18/version" 2>/dev/null)" != "$node18" ]; then
  mkdir -p "$cache/node18"
  install_node18() { npm install --no-audit --no-fund --loglevel=error --prefix "$cache/node18" "node@$node18"; }
  install_node18 || install_node18
  echo "$node18" > "$cache/node18/version"
fi
echo "node $node18"
# Builds Microsoft's generated server of Azure's management API.
need go || { echo 'go 1.24 or newer is missing: test/peers/azure-arm.test.ts needs it'; exit 1; }
go version
