import { startBird, type BirdDaemon, type BirdEdition, birdPrograms } from "../start-bird.ts";
import { requireRoot, requireTool } from "../requirement.ts";
import { type BgpPeer, type BgpPeerKind, type BgpRefusals, familyOf } from "./bgp-peer.ts";
import { readBirdRoutes } from "./bird-beliefs.ts";
import { birdConfig, protocolPrefix } from "./bird-config.ts";

const cutsShort = "its show command cuts long lists short";

/** BIRD 2. */
export const bird2: BgpPeerKind = {
  name: "BIRD 2",
  skip: requireRoot() || requireTool("bird", "birdc"),
  lacks: { "long attributes in full": cutsShort },
  start: (bed, namespace, settings) =>
    BirdPeer.start(
      (isRestarting, refusals) =>
        startBird(bed, { namespace, isRestarting, config: birdConfig(2, settings, refusals) }),
      (refusals) => birdConfig(2, settings, refusals),
    ),
};

const bird1Files = [birdPrograms("1.6"), birdPrograms("1.6 for IPv6")].map(({ daemon }) => daemon);

/** BIRD 1.6. */
export const bird1: BgpPeerKind = {
  name: "BIRD 1.6",
  skip: requireRoot() || requireTool(...bird1Files),
  lacks: {
    "extended next hop": "it is older than that",
    "both families on one session": "it has a daemon for each family",
    "long attributes in full": cutsShort,
  },
  start: (bed, namespace, settings) => {
    const family = familyOf(settings.neighbors[0]?.address ?? "");
    const edition: BirdEdition = family === 4 ? "1.6" : "1.6 for IPv6";
    return BirdPeer.start(
      (isRestarting, refusals) =>
        startBird(bed, { namespace, edition, isRestarting, config: birdConfig(1, settings, refusals) }),
      (refusals) => birdConfig(1, settings, refusals),
    );
  },
};

type Start = (isRestarting: boolean, refusals: BgpRefusals) => Promise<BirdDaemon>;

class BirdPeer implements BgpPeer {
  readonly #start: Start;
  readonly #config: (refusals: BgpRefusals) => string;
  #refusals: BgpRefusals = { import: [], export: [] };
  #bird: BirdDaemon;

  private constructor(start: Start, config: (refusals: BgpRefusals) => string, bird: BirdDaemon) {
    this.#start = start;
    this.#config = config;
    this.#bird = bird;
  }

  static async start(start: Start, config: (refusals: BgpRefusals) => string): Promise<BirdPeer> {
    return new BirdPeer(start, config, await start(false, { import: [], export: [] }));
  }

  get program(): BirdDaemon["program"] {
    return this.#bird.program;
  }

  readonly beliefs: BgpPeer["beliefs"] = async () => readBirdRoutes(await this.#bird.birdc("show route all"));

  readonly isUp: BgpPeer["isUp"] = async (neighbor) =>
    (await this.#bird.birdc(`show protocols ${protocolPrefix}${neighbor}`)).includes("Established");

  readonly refuse: BgpPeer["refuse"] = async (refusals) => {
    this.#refusals = refusals;
    await this.#bird.configure(this.#config(refusals));
  };

  readonly kill: BgpPeer["kill"] = async () => {
    this.#bird.program.signal("SIGKILL");
    await this.#bird.program.exited;
  };

  readonly revive: BgpPeer["revive"] = async () => {
    this.#bird = await this.#start(true, this.#refusals);
  };
}
