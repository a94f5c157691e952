#!/usr/bin/env bash
# docker/base-image.sh NODE_IMAGE BASE_IMAGE
#
# Makes stand-ins for the two images that the Dockerfile begins with, for machines that reach a Debian mirror and an npm
# registry, but no registry of images: Debian by debootstrap, Node and npm from their npm packages. Needs root, podman,
# debootstrap and npm. What was fetched is kept in .cache/docker.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly node_image=$1 base_image=$2
readonly suite=bookworm node_version=24.19.0 npm_version=11
cache=$(mkdir -p .cache/docker && cd .cache/docker && pwd -P)
readonly cache
readonly base_tar=$cache/debian-$suite.tar tools=$cache/node-$node_version

if [ ! -f "$base_tar" ]; then
  rootfs=$(mktemp -d)
  trap 'rm -rf "$rootfs"' EXIT
  debootstrap --variant=minbase --include=ca-certificates "$suite" "$rootfs" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}"
  # As in the slim images of Debian.
  tar --directory "$rootfs" --create --file "$base_tar.part" \
    --exclude='./var/cache/apt/*' --exclude='./var/lib/apt/lists/*' --exclude='./var/log/*' \
    --exclude='./usr/share/doc/*/*' --exclude='./usr/share/man/*' --exclude='./usr/share/info/*' \
    --exclude='./usr/share/locale/*' --exclude='./dev/*' .
  mv "$base_tar.part" "$base_tar"
fi
podman import --quiet "$base_tar" "$base_image" >/dev/null

if [ ! -d "$tools" ]; then
  rm -rf "$tools.part"
  npm install --silent --no-save --ignore-scripts --prefix "$tools.part" \
    "node-linux-$(node -p process.arch)@$node_version" "npm@$npm_version"
  mv "$tools.part" "$tools"
fi

# Docker would take the whole cache for the context.
context=$(mktemp -d)
trap 'rm -rf "$context" "${rootfs:-$context}"' EXIT
mkdir -p "$context/usr/local/bin" "$context/usr/local/lib/node_modules"
cp "$tools/node_modules/node-linux-$(node -p process.arch)/bin/node" "$context/usr/local/bin/node"
cp -r "$tools/node_modules/npm" "$context/usr/local/lib/node_modules/npm"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$context/usr/local/bin/npm"
# Where the way to the registry has an authority of its own, npm has to know it, for this build only.
if [ -n "${NODE_EXTRA_CA_CERTS:-}" ]; then cp -L "$NODE_EXTRA_CA_CERTS" "$context/usr/local/extra-ca.pem"; else touch "$context/usr/local/extra-ca.pem"; fi
podman build --quiet --isolation chroot --tag "$node_image" --file - "$context" >/dev/null <<CONTAINERFILE
FROM $base_image
COPY usr /usr
ENV NODE_EXTRA_CA_CERTS=/usr/local/extra-ca.pem
CONTAINERFILE
