// The real kernel as the port's suites are given it: a fresh namespace, and the hands of other programs in it.
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { KernelSubject } from "@caracal/dataplane/suite";
import { IpAddress } from "@caracal/net";
import { deleteNextHop, deleteRoute, IfaFlag, newNextHop, newRoute } from "@caracal/netlink";
import { deviceRequest } from "../src/device-request.ts";
import { LinuxKernel, namespacePath, Rtnetlink, systemClock } from "../src/index.ts";
import { freshNamespace } from "./fresh-namespace.ts";

/** Gone with the test. */
export function freshSubject(t: TestContext): KernelSubject {
  const namespace = namespacePath(freshNamespace(t));
  const kernel = LinuxKernel.open(namespace, ["links", "addresses", "routes", "nextHops", "neighbours"]);
  const others = Rtnetlink.open(namespace);
  t.after(() => {
    kernel.close();
    others.close();
  });
  const index = (name: string): number => others.link(name)?.index ?? assert.fail(`no interface ${name}`);
  const addAddress = (name: string, address: IpAddress, prefixLength: number): void =>
    others.addAddress({
      interfaceIndex: index(name),
      address,
      prefixLength,
      ...(IpAddress.isIpv6(address) ? { flags: IfaFlag.IFA_F_NODAD } : {}),
    });
  others.addVeth({ name: "up0", up: true }, { name: "peer0", up: true });
  addAddress("up0", IpAddress.parse("10.99.0.1") ?? assert.fail(), 24);
  addAddress("up0", IpAddress.parse("fd99::1") ?? assert.fail(), 64);
  return {
    kernel,
    clock: systemClock,
    until: async (what, condition) => {
      for (const deadline = Date.now() + 60_000; !(await condition()); await sleep(1)) {
        assert.ok(Date.now() < deadline, `in vain: ${what}`);
      }
    },
    others: {
      route: ({ kind, route }) =>
        others.socket.request("test", kind === "delete" ? deleteRoute(route) : newRoute(route, kind)),
      nextHop: (operation) =>
        others.socket.request(
          "test",
          operation.kind === "delete" ? deleteNextHop(operation.id) : newNextHop(operation.object),
        ),
      // Names of interfaces have at most 15 letters.
      addLink: (name) => others.addVeth({ name }, { name: `${name.slice(0, 11)}peer` }),
      deleteLink: (name) => void others.deleteLink(name),
      setLinkUp: (name, up) => others.setLink(name, { up }),
      addAddress,
      device: (operation) => {
        const outcomes = others.socket.batch("test", [deviceRequest(operation)]);
        for (const { error } of outcomes) throw error;
      },
    },
  };
}
