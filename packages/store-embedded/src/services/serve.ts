import type { WireMethod } from "@caracal/etcd-api";
import { type handleBidiStreamingCall, type handleUnaryCall, type Server, status } from "@grpc/grpc-js";
import { EtcdError, Refusal } from "../etcd-error.ts";

/** Makes a server serve one method. */
export type Route = (server: Server) => void;

/** For `wireMethod`. */
export function toBuffer(bytes: Uint8Array<ArrayBuffer>): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Serves one answer per request. An `EtcdError` goes to the client as it is. */
export function unary<RequestInit, Request, ResponseInit, Response>(
  method: WireMethod<RequestInit, Request, ResponseInit, Response, Buffer>,
  answer: (request: Request) => ResponseInit | Promise<ResponseInit>,
): Route {
  const handler: handleUnaryCall<Request, ResponseInit> = (call, callback) => {
    const run = async (): Promise<void> => {
      try {
        callback(null, await answer(call.request));
      } catch (error) {
        callback(toStatus(error));
      }
    };
    void run();
  };
  return (server) => {
    server.register(method.path, handler, method.responseSerialize, method.requestDeserialize, "unary");
  };
}

/** Serves a stream both ways. */
export function stream<RequestInit, Request, ResponseInit, Response>(
  method: WireMethod<RequestInit, Request, ResponseInit, Response, Buffer>,
  handler: handleBidiStreamingCall<Request, ResponseInit>,
): Route {
  return (server) => {
    server.register(method.path, handler, method.responseSerialize, method.requestDeserialize, "bidi");
  };
}

/** What the client is told of a failure. */
export function toStatus(error: unknown): { readonly code: number; readonly details: string } {
  if (error instanceof EtcdError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return { code: status.INTERNAL, details: `the store failed: ${text}` };
}

/** What a stream ends with when the server stops. */
export const stopped: EtcdError = new EtcdError(Refusal.stopped);
