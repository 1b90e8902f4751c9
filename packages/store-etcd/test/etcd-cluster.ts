/** Three members of Debian's etcd on loopback, each of which may be ended, held and started again. */
import { eventually, freePorts, type Program, run, type Testbed } from "@caracal/testbed";

/** One member. */
export interface EtcdMember {
  readonly endpoint: string;
  readonly program: Program;
}

/** A cluster of three. */
export class EtcdCluster {
  readonly #bed: Testbed;
  readonly #ports: readonly { readonly client: number; readonly peer: number }[];
  readonly #directories: readonly string[];
  readonly #programs: (Program | undefined)[] = [];

  private constructor(bed: Testbed, ports: readonly number[]) {
    this.#bed = bed;
    const [clients, peers] = [ports.slice(0, ports.length / 2), ports.slice(ports.length / 2)];
    this.#ports = clients.map((client, index) => ({ client, peer: peers[index] ?? 0 }));
    this.#directories = this.#ports.map(() => bed.directory("etcd"));
  }

  /** Starts all members; resolves when they agree. */
  static async start(bed: Testbed, memberCount = 3): Promise<EtcdCluster> {
    const cluster = new EtcdCluster(bed, await freePorts(2 * memberCount));
    await Promise.all(cluster.endpoints.map((_, index) => cluster.startMember(index)));
    await cluster.healthy();
    return cluster;
  }

  get endpoints(): readonly string[] {
    return this.#ports.map(({ client }) => `http://127.0.0.1:${client}`);
  }

  program(index: number): Program {
    const program = this.#programs[index];
    if (program === undefined) throw new Error(`member ${index} was never started`);
    return program;
  }

  async startMember(index: number): Promise<void> {
    const { client, peer } = this.#ports[index] ?? { client: 0, peer: 0 };
    const flags = {
      name: `m${index}`,
      "data-dir": this.#directories[index] ?? "",
      "listen-client-urls": `http://127.0.0.1:${client}`,
      "advertise-client-urls": `http://127.0.0.1:${client}`,
      "listen-peer-urls": `http://127.0.0.1:${peer}`,
      "initial-advertise-peer-urls": `http://127.0.0.1:${peer}`,
      "initial-cluster": this.#ports.map((ports, at) => `m${at}=http://127.0.0.1:${ports.peer}`).join(),
    };
    const words = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
    this.#programs[index] = await this.#bed.start(["etcd", ...words]);
  }

  /** `etcdctl WORDS…` with all members. */
  async etcdctl(...words: readonly string[]): Promise<string> {
    const endpoints = `--endpoints=${this.endpoints.join()}`;
    return (await run(["etcdctl", endpoints, ...words], { env: { ETCDCTL_API: "3" } })).stdout;
  }

  async healthy(): Promise<void> {
    await eventually(async () => (await this.etcdctl("endpoint", "health")) !== undefined, {
      what: "a healthy etcd cluster",
    });
  }

  /** The member that leads. */
  async leader(): Promise<number> {
    return eventually(async () => {
      const text = await this.etcdctl("endpoint", "status", "-w", "json");
      const rows: unknown = JSON.parse(text);
      if (!Array.isArray(rows)) return undefined;
      const index = rows.findIndex(({ Status }) => Status.leader === Status.header.member_id);
      return index < 0 ? undefined : this.endpoints.indexOf(rows[index].Endpoint);
    });
  }
}
