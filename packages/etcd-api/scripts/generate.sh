#!/bin/sh
# Writes src/generated from proto/. Needs protoc (Debian: protobuf-compiler); the plugin is a development dependency.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$here/src/generated"
protoc --proto_path="$here/proto" \
  --plugin=protoc-gen-es="$here/../../node_modules/.bin/protoc-gen-es" \
  --es_out="$here/src/generated" \
  --es_opt=target=ts,import_extension=ts,erasable_syntax=true \
  kv.proto rpc.proto
