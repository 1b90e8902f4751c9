// Aim: the kernel in memory keeps the promises of the port. Method: the port's compliance suite in virtual time.
import { test } from "node:test";
import { FakeKernel } from "./fake-kernel.ts";
import { ipipSuite } from "./suite/ipip-cases.ts";
import { kernelSuite } from "./suite/kernel-suite.ts";
import { address, type KernelSubject } from "./suite/subject.ts";
import { VirtualClock } from "./virtual-clock.ts";

function freshSubject(): KernelSubject {
  const kernel = new FakeKernel();
  const clock = new VirtualClock();
  kernel.addLink("up0");
  kernel.setLinkUp("up0", true);
  kernel.addAddress("up0", address("10.99.0.1"), 24);
  kernel.addAddress("up0", address("fd99::1"), 64);
  return {
    kernel,
    clock,
    until: async (what, condition) => {
      // One more look after the last timer, and no more time than any case needs.
      for (let steps = 0; !(await condition()); steps += 1) {
        const moved = await clock.step(60_000);
        if (!moved && !(await condition())) throw new Error(`in vain, at ${clock.now()} ms: ${what}`);
        if (steps > 1000) throw new Error(`busy for ever: ${what}`);
      }
    },
    others: {
      route: (operation) => {
        const outcome = kernel.alien(operation);
        if (outcome.kind === "failed") throw new Error(`${operation.kind}: ${outcome.errno}`);
      },
      nextHop: (operation) => {
        const outcome = kernel.alienNextHop(operation);
        if (outcome.kind === "failed") throw new Error(`${operation.kind}: ${outcome.errno}`);
      },
      addLink: (name) => void kernel.addLink(name),
      deleteLink: (name) => kernel.deleteLink(name),
      setLinkUp: (name, up) => kernel.setLinkUp(name, up),
      addAddress: (name, ip, length) => kernel.addAddress(name, ip, length),
      device: (operation) => {
        const outcome = kernel.alienDevice(operation);
        if (outcome.kind === "failed") throw new Error(`${operation.kind}: ${outcome.errno}`);
      },
    },
  };
}

for (const { name, run } of [...kernelSuite, ...ipipSuite]) test(name, () => run(freshSubject()));
