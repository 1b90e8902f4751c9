/**
 * Aim: an endpoint has its file from when its routes and rules are in the kernel until it is gone, and never for the container
 * before it. Method: endpoints by hand, virtual time, a real directory.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { VirtualClock } from "@caracal/dataplane";
import { apiVersion, type WorkloadEndpoint } from "@caracal/resources";
import { memoryLog } from "../../test/node-fixtures.ts";
import { EndpointStatusFiles } from "./endpoint-status-files.ts";

const file = "k8s default%2Fweb-1 eth0";

function endpoint(containerID: string): WorkloadEndpoint {
  return {
    kind: "WorkloadEndpoint",
    apiVersion,
    metadata: { name: "n1-k8s-web--1-eth0", namespace: "default" },
    spec: {
      orchestrator: "k8s",
      node: "n1",
      pod: "web-1",
      endpoint: "eth0",
      containerID,
      interfaceName: "cali1",
      mac: "02:00:00:00:00:01",
      ipNetworks: ["10.0.0.1/32", "fd00::1/128"],
    },
  };
}

interface World {
  readonly directory: string;
  readonly clock: VirtualClock;
  readonly files: EndpointStatusFiles;
  known: readonly WorkloadEndpoint[] | undefined;
  isProgrammed: boolean;
  readonly names: () => readonly string[];
}

function newWorld(t: TestContext): World {
  const directory = mkdtempSync(join(tmpdir(), "caracal-status-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  writeFileSync(join(directory, "k8s default%2Fgone eth0"), "");
  const clock = new VirtualClock();
  const { log } = memoryLog();
  const world: World = {
    directory,
    clock,
    known: undefined,
    isProgrammed: false,
    names: () => readdirSync(directory),
    files: new EndpointStatusFiles({
      directory,
      endpoints: () => world.known,
      isProgrammed: () => world.isProgrammed,
      clock,
      log,
    }),
  };
  return world;
}

test("files of earlier daemons go, and one comes when its endpoint is programmed, with what it has", async (t) => {
  const world = newWorld(t);
  assert.deepEqual(world.names(), []);
  world.files.schedule();
  await world.clock.step();
  world.known = [endpoint("c1")];
  world.files.schedule();
  for (let looks = 0; looks < 5; looks += 1) await world.clock.step();
  assert.deepEqual(world.names(), [], "its rules are not there yet");
  world.isProgrammed = true;
  await world.clock.step();
  assert.deepEqual(world.names(), [file]);
  assert.deepEqual(JSON.parse(readFileSync(join(world.directory, file), "utf8")), {
    ifaceName: "cali1",
    mac: "02:00:00:00:00:01",
    ipv4Nets: ["10.0.0.1/32"],
    ipv6Nets: ["fd00::1/128"],
  });
  assert.equal(await world.clock.step(), false, "nothing is left to look at");
  world.known = [];
  world.files.schedule();
  await world.clock.step();
  assert.deepEqual(world.names(), []);
});

test("the next container of a pod has no file until the datastore shows that one", async (t) => {
  const world = newWorld(t);
  world.isProgrammed = true;
  world.known = [endpoint("c1")];
  world.files.schedule();
  await world.clock.step();
  world.files.renew(file, "c1");
  assert.deepEqual(world.names(), [file], "a repeated ADD");
  world.files.renew(file, "c2");
  assert.deepEqual(world.names(), []);
  await world.clock.step();
  assert.deepEqual(world.names(), [], "the datastore still shows the first");
  world.known = [endpoint("c2")];
  world.files.schedule();
  await world.clock.step();
  assert.deepEqual(world.names(), [file]);
  world.files.forget(file);
  assert.deepEqual(world.names(), []);
});
