#!/usr/bin/env bash
# Writes go.mod and go.sum anew; needed only to change versions.
#   gomod.sh KUBERNETES, such as gomod.sh 1.37.2
# k8s.io/kubernetes replaces its staging modules by folders of its own repository;
# as a dependency it gets their published versions, v0.MINOR.PATCH, instead.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
v=$1
rm -f go.mod go.sum
cat >go.mod <<MOD
module cluster

go 1.26.0

godebug default=go1.26
MOD
export GOFLAGS=-mod=mod
kubernetes=$(go mod download -json "k8s.io/kubernetes@v$v" | sed -n 's/.*"GoMod": "\(.*\)".*/\1/p')
{
  echo
  echo 'replace ('
  sed -nE "s#^\t(k8s.io/[a-z0-9-]+) => ./staging.*#\t\1 => \1 v0.${v#1.}#p" "$kubernetes"
  echo ')'
} >>go.mod
k=k8s.io/kubernetes
containerd=github.com/containerd/containerd/v2
cni=github.com/containernetworking/plugins
go get "$k@v$v" go.etcd.io/etcd/server/v3@v3.7.3 github.com/coredns/coredns@v1.15.0
go get -tool "$k/cmd/kubectl@v$v" helm.sh/helm/v4/cmd/helm@v4.3.1 \
  "$containerd/cmd/containerd@v2.4.2" "$containerd/cmd/containerd-shim-runc-v2@v2.4.2" "$containerd/cmd/ctr@v2.4.2" \
  "$cni/plugins/main/ptp@v1.9.1" "$cni/plugins/main/loopback@v1.9.1" \
  "$cni/plugins/ipam/host-local@v1.9.1" "$cni/plugins/meta/portmap@v1.9.1"
go mod tidy
