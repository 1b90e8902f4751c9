/** The daemon of the benchmark, a process of its own as on a node: the CNI engine behind a control socket. Argument: the directory. */
import { join } from "node:path";
import { ControlServer } from "@caracal/control";
import { Ipam, Nanos } from "@caracal/ipam";
import { EtcdStore } from "@caracal/store-etcd";
import { CniEngine } from "../../node/src/cni/cni-engine.ts";
import { LinkRemover } from "../../node/src/cni/link-remover.ts";
import { LinuxPodKernel } from "../../node/src/cni/linux-pod-kernel.ts";
import { NodePodIpam } from "../../node/src/endpoints/node-pod-ipam.ts";
import { WatchedIpamSettings } from "../../node/src/endpoints/watched-ipam-settings.ts";

const directory = process.argv[2] ?? ".";
const node = "bench";
const store = new EtcdStore({ endpoints: [`unix://${join(directory, "store.sock")}`] });
const settings = new WatchedIpamSettings(store, node);
void settings.run(new AbortController().signal);
const ipam = new Ipam({
  store,
  node,
  now: () => Nanos.of(BigInt(Date.now()) * 1_000_000n),
  settings: () => settings.get(),
});
const nothing = (): Promise<void> => Promise.resolve();
const remover = new LinkRemover();
const engine = new CniEngine({
  node,
  store,
  ipam: new NodePodIpam(ipam, node, settings),
  kernel: new LinuxPodKernel(remover),
  hooks: { blocksClaimed: nothing, endpointAdded: nothing, endpointRemoved: nothing },
  isReady: () => true,
  sources: { now: () => new Date(), uuid: () => crypto.randomUUID() },
});
await ControlServer.listen({
  path: join(directory, "control.sock"),
  methods: { cni: (params, signal) => engine.handle(params, signal) },
});
process.stdout.write("ready\n");
