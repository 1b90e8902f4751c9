/** The daemon of the benchmark, a process of its own as on a node: the CNI engine behind a control socket. Argument: the run directory. */
import { join } from "node:path";
import { ControlServer } from "@caracal/control";
import { MemoryStore } from "@caracal/datastore";
import { CniEngine } from "../../node/src/cni/cni-engine.ts";
import { LinkRemover } from "../../node/src/cni/link-remover.ts";
import { LinuxPodKernel } from "../../node/src/cni/linux-pod-kernel.ts";
import { FakeIpam } from "../../node/test/cni-fakes.ts";

const nothing = (): Promise<void> => Promise.resolve();
const remover = new LinkRemover();
const engine = new CniEngine({
  node: "bench",
  store: new MemoryStore(),
  ipam: new FakeIpam(),
  kernel: new LinuxPodKernel((name) => remover.remove(name)),
  hooks: { blocksClaimed: nothing, endpointAdded: nothing, endpointRemoved: nothing },
  isReady: () => true,
  sources: { now: () => new Date(), uuid: () => crypto.randomUUID() },
});
await ControlServer.listen({
  path: join(process.argv[2] ?? ".", "control.sock"),
  methods: { cni: (params, signal) => engine.handle(params, signal) },
});
process.stdout.write("ready\n");
