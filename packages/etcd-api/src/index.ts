/**
 * The etcd v3 API as protobuf messages and gRPC methods, for its client (`store-etcd`) and its server (`store-embedded`).
 * `src/generated` comes from `proto/` through `scripts/generate.sh`; names, numbers and types are etcd's.
 *
 * Standards: etcd v3 API (packages etcdserverpb and mvccpb), Protocol Buffers 3.
 * Not here: connections, storage, etcd's cluster membership, users and snapshots.
 */
export {
  type Event,
  Event_EventType as EventType,
  EventSchema,
  type KeyValue,
  KeyValueSchema,
} from "./generated/kv_pb.ts";
export {
  AlarmRequest_AlarmAction as AlarmAction,
  type AlarmRequest,
  AlarmType,
  Auth,
  Cluster,
  type CompactionRequest,
  type CompactionResponse,
  type Compare,
  Compare_CompareResult as CompareResult,
  Compare_CompareTarget as CompareTarget,
  CompareSchema,
  type DeleteRangeRequest,
  type DeleteRangeResponse,
  DeleteRangeResponseSchema,
  KV,
  Lease,
  type LeaseGrantRequest,
  type LeaseKeepAliveRequest,
  type LeaseKeepAliveResponse,
  type LeaseTimeToLiveRequest,
  Maintenance,
  type PutRequest,
  type PutResponse,
  PutResponseSchema,
  type RangeRequest,
  RangeRequest_SortOrder as SortOrder,
  RangeRequest_SortTarget as SortTarget,
  RangeRequestSchema,
  type RangeResponse,
  RangeResponseSchema,
  type RequestOp,
  RequestOpSchema,
  type ResponseHeader,
  ResponseHeaderSchema,
  type ResponseOp,
  ResponseOpSchema,
  type TxnRequest,
  TxnRequestSchema,
  type TxnResponse,
  TxnResponseSchema,
  Watch,
  type WatchCreateRequest,
  WatchCreateRequest_FilterType as WatchFilter,
  type WatchRequest,
  WatchRequestSchema,
  type WatchResponse,
  WatchResponseSchema,
} from "./generated/rpc_pb.ts";
export { type Fields, type Init, type Wire, type WireMethod, wireMethod } from "./wire-method.ts";
