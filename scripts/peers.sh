#!/usr/bin/env bash
# Installs what the suites beside npm test meet for real. Nothing of it is needed by a user, or by npm test.
set -eu
need() { command -v "$1" >/dev/null 2>&1; }
if ! need redis-server || ! need bwrap; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq redis-server bubblewrap >/dev/null
fi
redis-server --version
bwrap --version
# The tests inside a sandbox are left out where it does not work; here that is a failure, not a choice.
bwrap --ro-bind / / --unshare-all true
