import type { ResourceClient, ResourceOutcome } from "@caracal/datastore";
import { apiVersion, describeProblems, ipamConfigurationKind, isRecord } from "@caracal/resources";
import { CliError } from "../cli-error.ts";
import type { Arguments, Command } from "../command.ts";
import { withConnection } from "../connection/with-connection.ts";
import { configOption } from "../global-options.ts";

export const ipamConfigure: Command = {
  name: "ipam configure",
  options: [
    {
      name: "strictaffinity",
      value: "BOOL",
      choices: ["true", "false"],
      summary: "Whether a node may only use addresses of its own blocks.",
    },
    { name: "max-blocks-per-host", value: "N", summary: "Most blocks of a node; 0 is 20." },
    {
      name: "kubevirt-ip-persistence",
      value: "MODE",
      choices: ["Enabled", "Disabled"],
      summary: "Whether virtual machines keep their addresses.",
    },
    {
      name: "ip-cooldown-seconds",
      value: "N",
      summary: "How long an address rests before it is given out again, 0 to 1200.",
    },
    configOption,
  ],
  run: async (ctx, args) => {
    const changes = readChanges(args);
    if (changes.length === 0) throw new CliError("at least one configuration option must be specified");
    return withConnection(ctx, args, async ({ resources }) => {
      const outcome = await configure(resources, changes);
      if (outcome.kind === "failed") throw new CliError(`error: ${outcome.message}`);
      for (const { title, value } of changes) {
        ctx.stdout.write(`Successfully set ${title} to: ${String(value)}\n`);
      }
      return 0;
    });
  },
};

interface Change {
  readonly field: string;
  readonly title: string;
  readonly value: boolean | number | string;
}

function readChanges(args: Arguments): readonly Change[] {
  const changes: Change[] = [];
  const add = (
    option: string,
    change: Omit<Change, "value">,
    read: (text: string) => Change["value"] | undefined,
    refusal: string,
  ): void => {
    const text = args.text(option);
    if (text === undefined || text === "") return;
    const value = read(text);
    if (value === undefined) throw new CliError(refusal);
    changes.push({ ...change, value });
  };
  add(
    "strictaffinity",
    { field: "strictAffinity", title: "StrictAffinity" },
    readBoolean,
    "invalid value. Use true or false to set strictaffinity",
  );
  add(
    "max-blocks-per-host",
    { field: "maxBlocksPerHost", title: "MaxBlocksPerHost" },
    readNumber,
    "invalid value for maxblockhost. Use a valid number",
  );
  add(
    "kubevirt-ip-persistence",
    { field: "kubeVirtVMAddressPersistence", title: "KubeVirtVMAddressPersistence" },
    (text) => (text === "Enabled" || text === "Disabled" ? text : undefined),
    "invalid value for --kubevirt-ip-persistence. Use Enabled or Disabled",
  );
  add(
    "ip-cooldown-seconds",
    { field: "ipCooldownSeconds", title: "IPCooldownSeconds" },
    readNumber,
    "invalid value for --ip-cooldown-seconds. Use a number from 0 to 1200",
  );
  return changes;
}

/** The words that Go's ParseBool takes. */
function readBoolean(text: string): boolean | undefined {
  if (["1", "t", "T", "TRUE", "true", "True"].includes(text)) return true;
  return ["0", "f", "F", "FALSE", "false", "False"].includes(text) ? false : undefined;
}

function readNumber(text: string): number | undefined {
  return /^[+-]?\d{1,10}$/.test(text) ? Number(text) : undefined;
}

/** Attempts when others write at the same time. */
const maxAttempts = 5;

async function configure(resources: ResourceClient, changes: readonly Change[]): Promise<ResourceOutcome> {
  const wanted = Object.fromEntries(changes.map(({ field, value }) => [field, value]));
  for (let attempt = 1; ; attempt += 1) {
    const found = await resources.get("IPAMConfiguration", "default");
    if (found.kind === "failed" && found.reason !== "missing") return found;
    const before =
      found.kind === "ok"
        ? found.resource
        : { kind: ipamConfigurationKind.name, apiVersion, metadata: { name: "default" }, spec: {} };
    const spec = isRecord(before.spec) ? before.spec : {};
    const reading = ipamConfigurationKind.parse({ ...before, spec: { ...spec, ...wanted } }, "user");
    if (reading.kind === "bad") throw new CliError(`error: ${describeProblems(reading.problems)}`);
    const outcome = await (found.kind === "ok"
      ? resources.update(reading.value)
      : resources.create(reading.value));
    const isLate =
      outcome.kind === "failed" && (outcome.reason === "conflict" || outcome.reason === "exists");
    if (!isLate || attempt >= maxAttempts) return outcome;
  }
}
