#!/usr/bin/env bash
# Brings up a real Kubernetes under a folder:
#   up.sh DIR [--nodes N] [--port P]
# DIR must be new or empty. When this returns, every node is ready and
# DIR/pki/kubeconfig reaches the API server at 127.0.0.1:P (by default a free port).
# Needs root; touches nothing of the machine but its apt packages and
# /tmp/hostpath_pv. See README.md.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/lib.sh"

[ $# -ge 1 ] || die "usage: up.sh DIR [--nodes N] [--port P]"
mkdir -p "$1"
BASE=$(cd "$1" && pwd)
shift
NODES=1 PORT=
while [ $# -gt 0 ]; do
  case $1 in
    --nodes) NODES=$2; shift 2 ;;
    --port) PORT=$2; shift 2 ;;
    *) die "unknown option $1" ;;
  esac
done
[ "$(id -u)" = 0 ] || die "needs root"
grep -q '^[0-9]*:memory:' /proc/self/cgroup || die "needs a machine with cgroup v1; v2 alone is not supported yet"
[ -z "$(ls -A "$BASE")" ] || die "$BASE is not empty: run down.sh on it, or name another"

BIN=$("$HERE/build.sh")
PATH=$BIN:$PATH:/usr/sbin:/sbin
[ -n "$PORT" ] || PORT=$(tb free-port)

start=$EPOCHREALTIME
mkdir -p "$BASE"/{run,logs,cp} /tmp/hostpath_pv
echo "$NODES" >"$BASE/nodes"
echo "$BIN" >"$BASE/bin"
command -v runc >"$BASE/runtime"
nodes=
for i in $(seq "$NODES"); do nodes+=${nodes:+,}$(node_name "$i")=$(node_ip "$i"); done
tb certs -dir "$BASE/pki" -server "$CP_IP" -port "$API_PORT" -local "127.0.0.1:$PORT" -service-ip "$SERVICE_IP" -nodes "$nodes"

trap '[ $? = 0 ] || { log "failed; see $BASE/logs and $BASE/*/logs"; "$HERE/down.sh" "$BASE" --keep || true; }' EXIT

# spawn NAME SCRIPT ARGS...: runs the script as process 1 of new namespaces, in
# control groups of its own below this process's.
spawn() {
  local name=$1 cg
  shift
  cg=tidemill-$$-$name
  (
    # Read first, for the moves below change what the file says.
    mapfile -t hierarchies </proc/self/cgroup
    for line in "${hierarchies[@]}"; do
      IFS=: read -r _ controllers path <<<"$line"
      [ -n "$controllers" ] || continue # the unified hierarchy, which has no controller here
      dir=/sys/fs/cgroup/${controllers#name=}${path%/}/$cg
      mkdir "$dir"
      echo "$dir" >>"$BASE/run/$name.cgroups"
      if [ "$controllers" = cpuset ]; then
        cat "$dir/../cpuset.cpus" >"$dir/cpuset.cpus"
        cat "$dir/../cpuset.mems" >"$dir/cpuset.mems"
      fi
      echo $BASHPID >"$dir/cgroup.procs"
    done
    echo $BASHPID >"$BASE/run/$name.pid"
    exec setsid unshare --mount --net --uts --ipc --pid --cgroup --fork --kill-child --mount-proc bash "$@"
  ) >"$BASE/logs/$name.log" 2>&1 </dev/null &
  disown
}

# inner NAME: the process that is process 1 inside.
inner() {
  local pid
  for _ in $(seq 100); do
    if [ -s "$BASE/run/$1.pid" ] && pid=$(pgrep -o -P "$(cat "$BASE/run/$1.pid")"); then
      # unshare has made the namespaces once the child's differ from ours.
      [ "$(readlink "/proc/$pid/ns/net")" != "$(readlink /proc/self/ns/net)" ] && { echo "$pid" >"$BASE/run/$1.init"; echo "$pid"; return; }
    fi
    sleep 0.05
  done
  die "$1 did not start; see $BASE/logs/$1.log"
}

spawn cp "$HERE/control-plane.sh" "$BASE" "$BIN"
cp=$(inner cp)
for i in $(seq "$NODES"); do
  name=$(node_name "$i")
  spawn "$name" "$HERE/node.sh" "$BASE" "$BIN" "$i"
  pid=$(inner "$name")
  ip link add "port$i" netns "$cp" type veth peer name eth0 netns "$pid"
done
# The bridge is made last, for the control plane waits for it.
nsenter -t "$cp" -n bash -c '
  ip link add name making type bridge
  for i in $(seq '"$NODES"'); do ip link set "port$i" master making up; done
  ip link set making name br0'

setsid tb forward -dial-ns "$cp" "127.0.0.1:$PORT=$CP_IP:$API_PORT" >"$BASE/logs/forward.log" 2>&1 </dev/null &
echo $! >"$BASE/run/forward.pid"
disown

export KUBECONFIG=$BASE/pki/kubeconfig
tb wait -url "https://127.0.0.1:$PORT/readyz" -ca "$BASE/pki/ca.crt" -timeout 120s
log "API server ready after $(since "$start")"
kubectl apply -f "$HERE/base.yaml" >"$BASE/logs/base.log"
for i in $(seq "$NODES"); do
  name=$(node_name "$i")
  for _ in $(seq 600); do kubectl get node "$name" >/dev/null 2>&1 && break; sleep 0.2; done
  kubectl wait --for=condition=Ready "node/$name" --timeout=120s >>"$BASE/logs/base.log"
done
# No pod starts in a namespace before its service account is there.
for _ in $(seq 300); do kubectl get serviceaccount default >/dev/null 2>&1 && break; sleep 0.2; done
log "$NODES node(s) ready after $(since "$start"): export KUBECONFIG=$KUBECONFIG"
