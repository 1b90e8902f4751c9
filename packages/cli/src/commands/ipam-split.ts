import type { ResourceClient } from "@caracal/datastore";
import { Prefix } from "@caracal/net";
import { describeProblems, type IpPool, ipPoolKind, writeJson } from "@caracal/resources";
import { CliError } from "../cli-error.ts";
import type { Arguments, Command } from "../command.ts";
import { withConnection } from "../connection/with-connection.ts";
import { configOption } from "../global-options.ts";
import { tellWaiting } from "../output/tell-waiting.ts";
import { isLocked } from "../resources/cluster-lock.ts";

/** Longest name of a pool that is made of another's. */
const maxNameLength = 253;

/** Most pools made of one: more is a slip rather than a plan. */
const maxParts = 4096;

export const ipamSplit: Command = {
  name: "ipam split",
  operands: "NUMBER (--cidr=CIDR | --name=POOL)",
  description:
    "The number is a power of 2. Addresses stay assigned. The datastore must be locked (datastore migrate lock).",
  options: [
    { name: "cidr", value: "CIDR", summary: "The pool of this range." },
    { name: "name", value: "POOL", summary: "The pool of this name." },
    configOption,
  ],
  run: async (ctx, args) => {
    const count = readCount(args);
    const name = args.text("name");
    const cidr = args.text("cidr");
    if (name === undefined && cidr === undefined) {
      throw new CliError("no name or CIDR provided. Provide a name or CIDR to denote the IP pool to split");
    }
    return withConnection(ctx, args, async ({ resources }) => {
      if (!(await isLocked(resources))) {
        throw new CliError(
          "datastore is not locked. Run the `calicoctl datastore migrate lock` command in order split the IP pools",
        );
      }
      const pool = await findPool(resources, name, cidr);
      const parts = splitPool(pool, count);
      await tellWaiting(ctx, `making ${count} pools`, replacePool(resources, pool, parts));
      // Calico leaves out the line's end too.
      const lines = parts.map(({ metadata, spec }) => `Created ${metadata.name} with CIDR ${spec.cidr}.\n`);
      ctx.stdout.write(
        `IP Pool ${pool.metadata.name} was successfully split into ${count} smaller pools.${lines.join("")}`,
      );
      return 0;
    });
  },
};

function readCount({ positional }: Arguments): number {
  const [text, ...stray] = positional;
  if (text === undefined) throw new CliError("ipam split needs the number of pools to make");
  if (stray.length > 0) throw new CliError(`ipam split takes one number: unexpected "${stray.join(" ")}"`);
  if (!/^[+-]?\d{1,9}$/.test(text)) {
    throw new CliError(`error reading number to split IP pools into. ${text} is not a valid number`);
  }
  return Number(text);
}

async function findPool(
  resources: ResourceClient,
  name: string | undefined,
  cidr: string | undefined,
): Promise<IpPool> {
  if (name !== undefined) {
    const found = await resources.get("IPPool", name);
    if (found.kind === "failed")
      throw new CliError(`unable to find IP pool with name ${name}: ${found.message}`);
    return found.resource;
  }
  const wanted = Prefix.parseInterface(cidr ?? "")?.network;
  const pool = (await resources.list("IPPool")).items.find(({ spec }) => {
    const range = Prefix.parseInterface(spec.cidr)?.network;
    return wanted !== undefined && range !== undefined && Prefix.equals(range, wanted);
  });
  if (pool === undefined)
    throw new CliError(`unable to find IP pool covering the specified CIDR ${cidr ?? ""}`);
  return pool;
}

/** The pools to make, checked before anything changes. */
function splitPool(pool: IpPool, count: number): readonly IpPool[] {
  const fail = (why: string): never => {
    throw new CliError(`error splitting the CIDR ${pool.spec.cidr} into ${count} CIDRs: ${why}`);
  };
  const bits = Math.log2(count);
  if (!Number.isInteger(bits) || bits === 0)
    return fail(`number to split CIDR into is not a valid power of 2: ${count}`);
  if (count > maxParts) return fail(`more than ${maxParts} pools`);
  const range = Prefix.parseInterface(pool.spec.cidr)?.network;
  if (range === undefined) return fail("it is not a range of addresses");
  const length = range.length + bits;
  if (length > (range.family === 4 ? 32 : 128)) {
    return fail(`the CIDR ${pool.spec.cidr} is not large enough to be split into ${count} parts`);
  }
  const step = Prefix.size(range) / BigInt(count);
  return Array.from({ length: count }, (_, index) => {
    const first = Prefix.at(range, step * BigInt(index)) ?? range.address;
    const { labels, annotations } = pool.metadata;
    const part: IpPool = {
      ...pool,
      metadata: {
        name: partName(pool.metadata.name, index),
        ...(labels === undefined ? {} : { labels }),
        ...(annotations === undefined ? {} : { annotations }),
      },
      spec: { ...pool.spec, cidr: Prefix.format(Prefix.of(first, length)) },
    };
    const reading = ipPoolKind.parse(part, "user");
    return reading.kind === "ok" ? reading.value : fail(describeProblems(reading.problems));
  });
}

function partName(name: string, index: number): string {
  const end = `-${index}`;
  const room = maxNameLength - "split-".length - end.length;
  return `split-${name.slice(0, room)}${end}`;
}

/**
 * Makes the new pools beside the old one, and removes that. Nobody assigns while the datastore is locked, so that both may be
 * there for a moment; where it was interrupted, the same command goes on. A pool that cannot be made takes all back.
 */
async function replacePool(resources: ResourceClient, pool: IpPool, parts: readonly IpPool[]): Promise<void> {
  const { name } = pool.metadata;
  const existing = new Map((await resources.list("IPPool")).items.map((one) => [one.metadata.name, one]));
  const there = parts.filter((part) => isSamePool(existing.get(part.metadata.name), part));
  const made = there.map((part) => part.metadata.name);
  const missing = parts.filter((part) => !there.includes(part));
  const problems = await resources.checkNewPools(missing, new Set([name, ...made]));
  if (problems.length > 0) throw new CliError(`cannot split ${name}: ${describeProblems(problems)}`);
  for (const part of missing) {
    const outcome = await resources.create(part, { isPoolChecked: true });
    if (outcome.kind === "ok") {
      made.push(part.metadata.name);
      continue;
    }
    for (const one of made) await resources.delete("IPPool", one);
    throw new CliError(`cannot make the pool of ${part.spec.cidr}: ${outcome.message}; nothing was changed`);
  }
  // Not as other pools are deleted: the blocks stay with their owners, in the new pools.
  const removed = await resources.delete("IPPool", name);
  if (removed.kind === "failed") {
    throw new CliError(`error removing the IP pool that was split ${name}: ${removed.message}`);
  }
}

/** Whether a pool is what a split that was interrupted has made. */
function isSamePool(found: IpPool | undefined, part: IpPool): boolean {
  return found !== undefined && writeJson(found.spec) === writeJson(part.spec);
}
