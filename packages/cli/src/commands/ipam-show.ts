import { type AddressState, type Ipam, readSettings } from "@caracal/ipam";
import { IpAddress } from "@caracal/net";
import type { IpamConfig } from "@caracal/resources";
import { CliError } from "../cli-error.ts";
import type { Arguments, Command } from "../command.ts";
import { type Connection, withConnection } from "../connection/with-connection.ts";
import { configOption } from "../global-options.ts";
import { borrowedTable } from "../ipam/borrowed-table.ts";
import { openIpam } from "../ipam/open-ipam.ts";
import { usageTable } from "../ipam/usage-table.ts";
import { boxTable } from "../output/box-table.ts";

/** This command speaks for no node. */
const noNode = "";

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
    return withConnection(ctx, args, async (connection) => {
      const ipam = openIpam(ctx, connection, noNode);
      ctx.stdout.write(
        address === undefined
          ? await showTable(connection, ipam, args)
          : describeAddress(address, await ipam.lookup(address)),
      );
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

async function showTable({ store }: Connection, ipam: Ipam, args: Arguments): Promise<string> {
  if (args.flag("show-configuration")) return configurationTable((await readSettings(store, noNode)).config);
  if (args.flag("show-borrowed")) return borrowedTable(await ipam.borrowed());
  return usageTable(await ipam.usage(), args.flag("show-blocks"));
}

function configurationTable(config: IpamConfig): string {
  return boxTable(
    ["PROPERTY", "VALUE"],
    [
      ["StrictAffinity", String(config.strict_affinity)],
      ["AutoAllocateBlocks", String(config.auto_allocate_blocks)],
      ["MaxBlocksPerHost", String(config.maxBlocksPerHost)],
      ...newerSettings(config),
    ],
  );
}

/** Those that came later are shown once they are set, as older releases know nothing of them. */
function newerSettings({
  kubeVirtVMAddressPersistence: persistence,
  ipCooldownSeconds: cooldown,
}: IpamConfig): readonly (readonly string[])[] {
  return [
    ...(persistence === undefined ? [] : [["KubeVirtVMAddressPersistence", persistence]]),
    ...(cooldown === 0 ? [] : [["IPCooldownSeconds", String(cooldown)]]),
  ];
}

/** Who holds an address. One that nobody holds is no error. */
function describeAddress(address: IpAddress, state: AddressState): string {
  const text = IpAddress.format(address);
  if (state.kind !== "allocated") return `${text} is not assigned\n`;
  const { attributes, alternateOwner, handle } = state;
  // Only releases that know of two owners print the longer form.
  const lines =
    alternateOwner === undefined
      ? (attributeLines("Attributes:", attributes) ?? ["No attributes defined"])
      : [
          `Handle ID: ${handle ?? "<none>"}`,
          ...(attributeLines("Active Owner Attributes:", attributes) ?? [
            "No Active Owner attributes defined",
          ]),
          ...(attributeLines("Alternate Owner Attributes:", alternateOwner) ?? []),
        ];
  return `${[`IP ${text} is in use`, ...lines].join("\n")}\n`;
}

/** The attributes by name, below their title; `undefined` when there are none. */
function attributeLines(
  title: string,
  attributes: Readonly<Record<string, string>>,
): readonly string[] | undefined {
  const sorted = Object.entries(attributes).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return sorted.length === 0 ? undefined : [title, ...sorted.map(([name, value]) => `  ${name}: ${value}`)];
}
