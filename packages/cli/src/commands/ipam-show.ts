import { keys, type Store } from "@caracal/datastore";
import { IpAddress, Prefix } from "@caracal/net";
import {
  type AllocationBlock,
  AllocationBlockCodec,
  defaultIpamConfig,
  type IpamConfig,
  IpamConfigCodec,
} from "@caracal/resources";
import { CliError } from "../cli-error.ts";
import type { Arguments, Command } from "../command.ts";
import { type Connection, withConnection } from "../connection/with-connection.ts";
import { configOption } from "../global-options.ts";
import { borrowedTable } from "../ipam/borrowed-table.ts";
import { poolUsages } from "../ipam/usage.ts";
import { usageTable } from "../ipam/usage-table.ts";
import { boxTable } from "../output/box-table.ts";

export const ipamShow: Command = {
  name: "ipam show",
  summary: "Show how full the pools are, or who holds an address.",
  options: [
    { name: "ip", value: "IP", summary: "Who holds this address." },
    { name: "show-blocks", summary: "The blocks of every pool too." },
    { name: "show-borrowed", summary: "Addresses that nodes hold from each other's blocks." },
    { name: "show-configuration", summary: "Settings of address assignment." },
    configOption,
  ],
  run: async (ctx, args) => {
    const address = parseAddress(args.text("ip"));
    if (args.positional.length > 0) throw new CliError(`unknown argument "${args.positional[0]}"`);
    return withConnection(ctx, args, async (connection) => {
      const text =
        address === undefined ? await showTable(connection, args) : await showAddress(connection, address);
      ctx.stdout.write(text);
      return 0;
    });
  },
};

function parseAddress(text: string | undefined): IpAddress | undefined {
  if (text === undefined) return undefined;
  const address = IpAddress.parse(text);
  if (address === undefined) throw new CliError(`invalid IP address: ${text}`);
  return address;
}

async function showTable(connection: Connection, args: Arguments): Promise<string> {
  const { store, resources } = connection;
  if (args.flag("show-configuration")) return configurationTable(await readConfig(store));
  if (args.flag("show-borrowed")) return borrowedTable(await listBlocks(store));
  const usages = poolUsages((await resources.list("IPPool")).items, await listBlocks(store));
  return usageTable(usages, args.flag("show-blocks"));
}

/** Blocks that do not read are left out, as Calico does. */
async function listBlocks(store: Store): Promise<readonly AllocationBlock[]> {
  const { entries } = await store.list(keys.blocks());
  return entries.flatMap(({ key, value }) => {
    if (keys.parse(key)?.kind !== "block") return [];
    const reading = AllocationBlockCodec.parse(value);
    return reading.kind === "ok" && !reading.value.deleted ? [reading.value] : [];
  });
}

async function readConfig(store: Store): Promise<IpamConfig> {
  const entry = await store.get(keys.ipamConfig);
  if (entry === undefined) return defaultIpamConfig;
  const reading = IpamConfigCodec.parse(entry.value);
  if (reading.kind === "bad") throw new CliError("the stored IPAM configuration cannot be read");
  return reading.value;
}

function configurationTable(config: IpamConfig): string {
  return boxTable(
    ["PROPERTY", "VALUE"],
    [
      ["StrictAffinity", String(config.strict_affinity)],
      ["AutoAllocateBlocks", String(config.auto_allocate_blocks)],
      ["MaxBlocksPerHost", String(config.maxBlocksPerHost)],
    ],
  );
}

/** Who holds an address. One that nobody holds is no error. */
async function showAddress(connection: Connection, address: IpAddress): Promise<string> {
  const text = IpAddress.format(address);
  const block = await findBlock(connection, address);
  const cidr = block === undefined ? undefined : Prefix.parse(block.cidr);
  const ordinal = cidr === undefined ? undefined : Prefix.indexOf(cidr, address);
  const slot = ordinal === undefined ? undefined : block?.allocations[Number(ordinal)];
  if (slot === undefined || slot === null) return `${text} is not assigned\n`;
  const attributes = Object.entries(block?.attributes[slot]?.secondary ?? {}).toSorted(([a], [b]) =>
    a < b ? -1 : 1,
  );
  const lines =
    attributes.length === 0
      ? ["No attributes defined"]
      : ["Attributes:", ...attributes.map(([name, value]) => `  ${name}: ${value}`)];
  return `${[`IP ${text} is in use`, ...lines].join("\n")}\n`;
}

/** By the pool's block size; where the pool is gone, by looking through all blocks. */
async function findBlock(connection: Connection, address: IpAddress): Promise<AllocationBlock | undefined> {
  const { store, resources } = connection;
  const pools = await resources.list("IPPool");
  for (const { spec } of pools.items) {
    const cidr = Prefix.parse(spec.cidr);
    if (cidr === undefined || spec.blockSize === undefined || !Prefix.contains(cidr, address)) continue;
    const entry = await store.get(keys.block(Prefix.of(address, spec.blockSize)));
    const reading = entry === undefined ? undefined : AllocationBlockCodec.parse(entry.value);
    return reading?.kind === "ok" ? reading.value : undefined;
  }
  const blocks = await listBlocks(store);
  return blocks.find((block) => {
    const cidr = Prefix.parse(block.cidr);
    return cidr !== undefined && Prefix.contains(cidr, address);
  });
}
