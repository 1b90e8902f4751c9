#!/bin/sh
# Prints the path of a kube-apiserver (Kubernetes 1.20) for the tests of the Kubernetes datastore. The first call builds it
# from Debian's source package with Debian's Go: 5 minutes on 2 cores, 2 GiB of disk meanwhile, as root on Debian 12.
#
#   KUBE_APISERVER=$(scripts/kube-apiserver.sh) npm test
set -eu
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/caracal/kube-apiserver-1.20
program=$cache/kube-apiserver
if [ -x "$program" ]; then
  echo "$program"
  exit 0
fi
exec 3>&1 >&2
say() { echo "kube-apiserver: $*"; }
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  say "it is built as root on Debian 12; on other machines set KUBE_APISERVER to one of your own"
  exit 1
fi
mkdir -p "$cache"
work=$(mktemp -d "$cache/build.XXXXXX")
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

say "building it from Debian's sources, which takes some minutes"
export DEBIAN_FRONTEND=noninteractive
log=$work/log
quietly() {
  "$@" >"$log" 2>&1 || {
    tail -n 20 "$log"
    say "failed: $*"
    exit 1
  }
}
# reflect2 of the source package is older than Debian's Go can run: it crashes at the first custom resource.
needs="golang-1.19-go dpkg-dev golang-github-modern-go-reflect2-dev"
# shellcheck disable=SC2086 # a list of words
apt-get install -y -q --no-install-recommends $needs >"$log" 2>&1 || {
  quietly apt-get update -q
  # shellcheck disable=SC2086
  quietly apt-get install -y -q --no-install-recommends $needs
}

# The machine's own sources of packages, asked for the packages' sources; the machine's own lists stay as they are.
mkdir -p "$work/apt/sources" "$work/apt/lists/partial" "$work/apt/cache/archives/partial"
for list in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
  case $list in
    *.sources) sed 's/^Types:.*/Types: deb-src/' "$list" >"$work/apt/sources/${list##*/}" ;;
    *.list) [ ! -f "$list" ] || sed -n 's/^deb /deb-src /p' "$list" >"$work/apt/sources/${list##*/}" ;;
  esac
done
from_sources() {
  (cd "$work" && apt-get -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$work/apt/sources" \
    -o Dir::State::Lists="$work/apt/lists" -o Dir::Cache="$work/apt/cache" -o APT::Sandbox::User=root "$@")
}
quietly from_sources update -q
quietly from_sources source -q --download-only kubernetes

export GOPATH="$work/go" GOCACHE="$work/gocache" GO111MODULE=off GOFLAGS="" GOTOOLCHAIN=local
go=/usr/lib/go-1.19/bin/go
tree=$GOPATH/src/k8s.io/kubernetes
mkdir -p "${tree%/*}"
quietly dpkg-source --no-check -x "$work"/kubernetes_*.dsc "$tree"
rm -rf "$tree/vendor/github.com/modern-go/reflect2"
cp -r /usr/share/gocode/src/github.com/modern-go/reflect2 "$tree/vendor/github.com/modern-go/reflect2"

# The description of the API is made from marks in the sources, and is not part of the source package.
cd "$tree"
generator=$work/openapi-gen
quietly "$go" build -o "$generator" k8s.io/kubernetes/vendor/k8s.io/kube-openapi/cmd/openapi-gen
described=$(
  cd staging/src
  grep -rl --include='*.go' '+k8s:openapi-gen=' k8s.io/api k8s.io/apimachinery k8s.io/apiextensions-apiserver/pkg/apis \
    k8s.io/kube-aggregator/pkg/apis k8s.io/apiserver/pkg/apis/audit k8s.io/kube-proxy k8s.io/kubelet \
    k8s.io/kube-controller-manager k8s.io/kube-scheduler k8s.io/metrics k8s.io/client-go k8s.io/cloud-provider |
    grep -v zz_generated | xargs -n1 dirname | sort -u | paste -sd,
)
quietly "$generator" --logtostderr -i "$described" -p k8s.io/kubernetes/pkg/generated/openapi -O zz_generated.openapi \
  -h hack/boilerplate/boilerplate.generatego.txt -r /dev/null --output-base "$GOPATH/src"
quietly "$go" build -o "$work/kube-apiserver" k8s.io/kubernetes/cmd/kube-apiserver
mv "$work/kube-apiserver" "$program"
echo "$program" >&3
