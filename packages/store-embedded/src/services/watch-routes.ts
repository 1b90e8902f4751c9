import { Watch, wireMethod } from "@caracal/etcd-api";
import type { EmbeddedStore } from "../embedded-store.ts";
import { WatchStream } from "../watch/watch-stream.ts";
import { type Route, stopped, stream, toBuffer } from "./serve.ts";

/** The Watch service: one `WatchStream` per client stream. */
export function watchRoutes(store: EmbeddedStore): readonly Route[] {
  return [
    stream(wireMethod(Watch.method.watch, toBuffer), (call) => {
      const watches = new WatchStream(store, {
        write: (response) => call.write(response),
        end: () => call.emit("error", stopped),
      });
      call.on("data", (request) => watches.handle(request));
      call.on("drain", () => watches.resume());
      call.on("end", () => {
        watches.close();
        call.end();
      });
      call.on("cancelled", () => watches.close());
      call.on("error", () => watches.close());
    }),
  ];
}
