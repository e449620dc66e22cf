#!/usr/bin/env bash
# Builds the cluster's programs once for what they are built from, and prints the
# folder they are in. The rest of what it says goes to standard error.
#   TIDEMILL_CACHE   that folder is cluster/KEY below it; ~/.cache/tidemill if unset
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/lib.sh"
cd "$HERE"

install_missing iproute2:ip nftables:nft runc:runc gcc:gcc libc6-dev:- procps:pgrep util-linux:unshare
# Go from 1.21 on fetches the version that go.mod names by itself; older ones can't read go.mod.
go list -m >/dev/null 2>&1 || die "needs Go 1.26: unpack the archive from https://go.dev/dl/ in /usr/local and add /usr/local/go/bin to PATH"

key=$({ cat go.mod go.sum build.sh tb/*.go servers/*.go; go env GOVERSION; } | sha256sum | cut -c1-16)
cache=${TIDEMILL_CACHE:-$HOME/.cache/tidemill}/cluster
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
bin=$cache/$key
if [ ! -e "$bin/done" ]; then
  start=$EPOCHREALTIME
  log "building into $bin"
  rm -rf "$bin"
  mkdir -p "$bin"/{cni,images}

  version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
  flags="-s -w"
  for pair in gitVersion="$version" gitMajor=1 gitMinor="$(cut -d. -f2 <<<"$version")" gitTreeState=clean \
    gitCommit=0000000000000000000000000000000000000000 buildDate=1970-01-01T00:00:00Z; do
    flags+=" -X k8s.io/component-base/version.$pair"
  done
  # One command for all of them: what they share is compiled once, and both cores
  # have work to the end. Symbols for debuggers are left out, compiled ones too.
  GOGC=800 CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "$flags" -gcflags=all=-dwarf=false \
    -tags no_btrfs,no_zfs,no_devmapper -o "$bin/" tool ./tb ./servers >"$bin/build.log" 2>&1 ||
    { tail -n 40 "$bin/build.log" >&2; die "the build failed"; }
  for name in etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy coredns; do
    ln -s servers "$bin/$name"
  done
  mv "$bin"/{ptp,loopback,host-local,portmap} "$bin/cni/"

  # The container that holds a pod's namespaces, from Kubernetes' own source.
  pause=$(go list -m -f '{{.Dir}}' k8s.io/kubernetes)/build/pause/linux/pause.c
  gcc -Os -static -s -o "$bin/pause" -DVERSION="$version" "$pause"
  "$bin/tb" image -o "$bin/images/pause.tar" -ref localhost/pause:1 -add "$bin/pause=/pause" -entrypoint /pause -user 65535:65535

  touch "$bin/done"
  log "built in $(since "$start")"
fi
echo "$bin"
