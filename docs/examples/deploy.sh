#!/bin/sh
# Copies a directory to a server from a job of a CI service, with nothing but what the service's secrets hold.
#
#   DEPLOY_KEY          a private key without a passphrase
#   DEPLOY_KNOWN_HOSTS  the server's lines of known_hosts
#
# usage: deploy.sh SOURCE [user@]host:TARGET
set -eu
umask 077
secrets=$(mktemp -d)
trap 'rm -rf "$secrets"' EXIT
printf '%s\n' "$DEPLOY_KEY" >"$secrets/key"
printf '%s\n' "$DEPLOY_KNOWN_HOSTS" >"$secrets/known_hosts"
scp -B -q -r -p --atomic --skip-unchanged --verify --log deploy.log \
    -i "$secrets/key" -o IdentitiesOnly=yes \
    -o UserKnownHostsFile="$secrets/known_hosts" -o StrictHostKeyChecking=yes \
    "$1/." "$2"
