#!/usr/bin/env bash
# Runs as process 1 of one node's namespaces; up.sh starts it.
#   node.sh BASE BIN NUMBER
set -euo pipefail
BASE=$1 BIN=$2 N=$3
. "$(dirname "$0")/lib.sh"
NAME=$(node_name "$N")
HOME_DIR=$BASE/$NAME
PKI=$BASE/pki
mkdir -p "$HOME_DIR"/{logs,kubelet,containerd,cni}
hostname "$NAME"
own_mounts

wait_link eth0
ip link set lo up
ip addr add "$(node_ip "$N")/24" dev eth0
ip link set eth0 up
ip route add default via "$CP_IP"
echo 1 >/proc/sys/net/ipv4/ip_forward
for i in $(seq "$(cat "$BASE/nodes")"); do
  [ "$i" = "$N" ] || ip route add "$(node_pods "$i")" via "$(node_ip "$i")"
done

cat >"$HOME_DIR/cni/10-pods.conflist" <<CNI
{
  "cniVersion": "1.0.0",
  "name": "pods",
  "plugins": [
    {
      "type": "ptp",
      "ipMasq": false,
      "ipam": {
        "type": "host-local",
        "dataDir": "/run/cni-ipam",
        "routes": [{"dst": "0.0.0.0/0"}],
        "ranges": [[{"subnet": "$(node_pods "$N")"}]]
      }
    },
    {"type": "portmap", "capabilities": {"portMappings": true}, "backend": "nftables"}
  ]
}
CNI
cat >"$HOME_DIR/containerd.toml" <<TOML
version = 3
root = "$HOME_DIR/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.nri.v1.nri", "io.containerd.tracing.processor.v1.otlp"]

[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "localhost/pause:1"

[plugins."io.containerd.cri.v1.runtime"]
  netns_mounts_under_state_dir = true
  disable_apparmor = true
  restrict_oom_score_adj = true # lowering one takes a capability that root may lack here
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["$BIN/cni"]
    conf_dir = "$HOME_DIR/cni"
  [plugins."io.containerd.cri.v1.runtime".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
        BinaryName = "$(cat "$BASE/runtime")"
        SystemdCgroup = false
TOML
echo "nameserver $CP_IP" >"$HOME_DIR/resolv.conf"
cat >"$HOME_DIR/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $(node_ip "$N")
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: $PKI/ca.crt}
authorization: {mode: Webhook}
tlsCertFile: $PKI/kubelet-$NAME-server.crt
tlsPrivateKeyFile: $PKI/kubelet-$NAME-server.key
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
resolvConf: $HOME_DIR/resolv.conf
clusterDomain: cluster.local
clusterDNS: [$CP_IP]
maxPods: 200
serializeImagePulls: false
registerWithTaints: []
nodeStatusUpdateFrequency: 4s
imageMinimumGCAge: 24h
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%}
shutdownGracePeriod: 0s
YAML
cat >"$HOME_DIR/kube-proxy.yaml" <<YAML
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clientConnection: {kubeconfig: $PKI/kube-proxy.kubeconfig}
hostnameOverride: $NAME
clusterCIDR: $POD_NET
bindAddress: $(node_ip "$N")
nftables: {minSyncPeriod: 100ms}
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
YAML

export PATH=$BIN:$BIN/cni:$PATH
keep containerd "$BIN/containerd" --config "$HOME_DIR/containerd.toml" --log-level warn
for _ in $(seq 100); do
  "$BIN/ctr" --address /run/containerd/containerd.sock version >/dev/null 2>&1 && break
  sleep 0.1
done
for tar in "$BIN"/images/*.tar; do
  "$BIN/ctr" --address /run/containerd/containerd.sock -n k8s.io image import "$tar"
done >>"$HOME_DIR/logs/images.log" 2>&1
keep kubelet "$BIN/kubelet" \
  --config "$HOME_DIR/kubelet.yaml" --kubeconfig "$PKI/kubelet-$NAME.kubeconfig" \
  --root-dir "$HOME_DIR/kubelet" --cert-dir "$HOME_DIR/kubelet/pki" \
  --hostname-override "$NAME" --node-ip "$(node_ip "$N")" --v 1
keep kube-proxy "$BIN/kube-proxy" --config "$HOME_DIR/kube-proxy.yaml" --v 1
wait
