import { type AddressState, type Ipam, readSettings } from "@caracal/ipam";
import { IpAddress } from "@caracal/net";
import { type IpamConfig, writeJson } from "@caracal/resources";
import { CliError } from "../cli-error.ts";
import type { Arguments, Command } from "../command.ts";
import { type Connection, withConnection } from "../connection/with-connection.ts";
import { configOption } from "../global-options.ts";
import { borrowedTable } from "../ipam/borrowed-table.ts";
import { parseAddress } from "../ipam/parse-address.ts";
import { addressDocument, borrowedDocument, usageDocument } from "../ipam/show-document.ts";
import { openIpam } from "../ipam/open-ipam.ts";
import { usageTable } from "../ipam/usage-table.ts";
import { boxTable } from "../output/box-table.ts";

/** For programs. */
const formats = ["json", "yaml"] as const;

/** One of them at most, or an address. */
const viewFlags = ["show-blocks", "show-borrowed", "show-configuration"] as const;

/** This command speaks for no node. */
const noNode = "";

export const ipamShow: Command = {
  name: "ipam show",
  options: [
    { name: "ip", value: "IP", summary: "Who holds this address." },
    { name: "show-blocks", summary: "The blocks of every pool too." },
    { name: "show-borrowed", summary: "Addresses that nodes hold from each other's blocks." },
    { name: "show-configuration", summary: "Settings of address assignment." },
    {
      name: "output",
      short: "o",
      value: "FORMAT",
      choices: formats,
      summary: "The same for programs, blocks included.",
    },
    configOption,
  ],
  run: async (ctx, args) => {
    const ip = args.text("ip");
    const views = [...(ip === undefined ? [] : ["ip"]), ...viewFlags.filter(args.flag)];
    if (views.length > 1) throw new CliError(`--${views.join(" and --")} exclude each other`);
    const address = ip === undefined ? undefined : parseAddress(ip);
    const format = args.text("output");
    if (format !== undefined && !formats.some((one) => one === format)) {
      throw new CliError(`unrecognized output format '${format}'; it is ${formats.join(" or ")}`);
    }
    return withConnection(ctx, args, async (connection) => {
      const ipam = openIpam(ctx, connection, noNode);
      const shown = await look(connection, ipam, { args, address });
      ctx.stdout.write(await written(shown, format));
      return 0;
    });
  },
};

/** What a person reads, and the same for programs. */
interface Shown {
  readonly text: () => string;
  readonly document: object;
}

async function written({ text, document }: Shown, format: string | undefined): Promise<string> {
  if (format === undefined) return text();
  if (format === "json") return `${writeJson(document, 2)}\n`;
  const { toYaml } = await import("@caracal/resources/manifest");
  return toYaml(document);
}

async function look(
  { store }: Connection,
  ipam: Ipam,
  { args, address }: { readonly args: Arguments; readonly address: IpAddress | undefined },
): Promise<Shown> {
  if (address !== undefined) {
    const state = await ipam.lookup(address);
    return { text: () => describeAddress(address, state), document: addressDocument(address, state) };
  }
  if (args.flag("show-configuration")) {
    const { config } = await readSettings(store, noNode);
    return { text: () => configurationTable(config), document: configurationDocument(config) };
  }
  if (args.flag("show-borrowed")) {
    const borrowed = await ipam.borrowed();
    return { text: () => borrowedTable(borrowed), document: borrowedDocument(borrowed) };
  }
  const usage = await ipam.usage();
  return { text: () => usageTable(usage, args.flag("show-blocks")), document: usageDocument(usage) };
}

/** By the names of the resource IPAMConfiguration. */
function configurationDocument(config: IpamConfig): object {
  const { strict_affinity: strictAffinity, auto_allocate_blocks: autoAllocateBlocks, ...others } = config;
  return { strictAffinity, autoAllocateBlocks, ...others };
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
