/** Codes of the CNI specification ("Error") that the plugin itself can answer with. */
export const ClientErrorCode = {
  invalidEnvironment: 4,
  ioFailure: 5,
  decodeFailure: 6,
  invalidConfig: 7,
  tryAgainLater: 11,
  /** STATUS only: "the plugin cannot service ADD requests". */
  notAvailable: 50,
} as const;
export type ClientErrorCode = (typeof ClientErrorCode)[keyof typeof ClientErrorCode];

/** Versions of the CNI specification whose calls are answered, oldest first. */
export const supportedVersions: readonly string[] = [
  "0.1.0",
  "0.2.0",
  "0.3.0",
  "0.3.1",
  "0.4.0",
  "1.0.0",
  "1.1.0",
];

/** As `calico -v` prints it. */
export const pluginVersion = "v0.1.0";

/** A network configuration longer than this is refused. */
export const inputBytesMax: number = 1 << 20;
/** The daemon's bound on a line, both ways. */
export const lineBytesMax: number = 4 << 20;
const defaultRunDirectory = "/var/run/calico";
const defaultVersion = "1.1.0";
// A Unix socket's address holds 108 bytes with the closing NUL.
const socketPathBytesMax = 107;

/** What the plugin was started with. */
export interface PluginCall {
  /** The program's name: `calico-ipam` asks for that plugin, any other name is `calico`. */
  readonly name: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly stdin: string;
  /** What stands after the program's name: none when a runtime calls. */
  readonly words?: readonly string[];
}

/** What the plugin prints, and the code it exits with. */
export interface PluginAnswer {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr?: string;
}

/** Either the answer is known at once, or one line is to be sent to the daemon's socket. */
export type PluginStep =
  | { readonly kind: "answer"; readonly answer: PluginAnswer }
  | { readonly kind: "ask"; readonly socket: string; readonly line: string };

/** Calico's options: the version, whether the datastore answers, and taking over what host-local gave (calico-ipam only). */
export const PluginOption = { version: "-v", test: "-t", upgrade: "-upgrade" } as const;

/** Decides what a call needs. VERSION never needs the daemon. */
export function planCall(call: PluginCall): PluginStep {
  const { environment, stdin, words: [option, argument = ""] = [] } = call;
  if (Buffer.byteLength(stdin) > inputBytesMax) {
    return done(
      failure(call, ClientErrorCode.invalidConfig, "the network configuration is longer than 1 MiB"),
    );
  }
  if (option === PluginOption.version) return done({ exitCode: 0, stdout: `${pluginVersion}\n` });
  if (option === PluginOption.test) return ask(call, "TEST", "");
  if (option === PluginOption.upgrade && call.name === "calico-ipam") return ask(call, "UPGRADE", argument);
  if (option !== undefined) {
    const details = `it is ${JSON.stringify(option.slice(0, 80))}`;
    return done(
      failure(call, ClientErrorCode.invalidEnvironment, "an option that this program does not know", details),
    );
  }
  const command = environment["CNI_COMMAND"] ?? "";
  if (command === "") {
    const details = "this program is called by a container runtime";
    return done(failure(call, ClientErrorCode.invalidEnvironment, "CNI_COMMAND is not set", details));
  }
  if (command === "VERSION") {
    const stdout = `${JSON.stringify({ cniVersion: versionOf(stdin), supportedVersions })}\n`;
    return done({ exitCode: 0, stdout });
  }
  return ask(call, command, environment["CNI_ARGS"] ?? "");
}

function ask(call: PluginCall, command: string, args: string): PluginStep {
  const { environment, stdin } = call;
  const params = {
    plugin: call.name === "calico-ipam" ? "calico-ipam" : "calico",
    command,
    containerId: environment["CNI_CONTAINERID"] ?? "",
    netns: environment["CNI_NETNS"] ?? "",
    ifname: environment["CNI_IFNAME"] ?? "",
    args,
    path: environment["CNI_PATH"] ?? "",
    stdin,
  };
  const line = `${JSON.stringify({ id: 1, method: "cni", params })}\n`;
  if (Buffer.byteLength(line) > lineBytesMax) {
    return done(failure(call, ClientErrorCode.invalidConfig, "the call is longer than 4 MiB"));
  }
  const named = environment["CARACAL_RUN_DIR"] ?? "";
  const directory = textMember(stdin, "caracal_run_dir") ?? (named === "" ? defaultRunDirectory : named);
  const socket = `${directory}/control.sock`;
  if (Buffer.byteLength(socket) > socketPathBytesMax) {
    const message = "the path of the node daemon's socket is longer than 107 bytes";
    return done(failure(call, ClientErrorCode.invalidConfig, message, directory));
  }
  return { kind: "ask", socket, line };
}

/** Reads the daemon's line. A daemon that refuses the call is one that may take it later. */
export function readAnswer(call: PluginCall, line: string): PluginAnswer {
  const reply = parse(line);
  const result = memberOf(reply, "result");
  const exitCode = memberOf(result, "exitCode");
  const stdout = memberOf(result, "stdout");
  const stderr = memberOf(result, "stderr");
  if (typeof exitCode === "number" && typeof stdout === "string") {
    return typeof stderr === "string" ? { exitCode, stdout, stderr } : { exitCode, stdout };
  }
  const message = memberOf(memberOf(reply, "error"), "message");
  return typeof message === "string"
    ? failure(call, ClientErrorCode.tryAgainLater, "the node daemon refused the call", message)
    : failure(call, ClientErrorCode.ioFailure, "the node daemon's answer cannot be read");
}

/**
 * The answer when nobody can be asked. A daemon that is away may come back, but input that is no object never becomes a
 * configuration, and may be why the daemon was sought in the wrong place. Both forms of the plugin judge by its two ends only.
 */
export function unanswered(call: PluginCall, message: string, details: string): PluginAnswer {
  if (!/^[ \t\r\n]*\{[^]*\}[ \t\r\n]*$/.test(call.stdin)) {
    return failure(
      call,
      ClientErrorCode.decodeFailure,
      "the network configuration on stdin is no JSON object",
    );
  }
  return failure(call, ClientErrorCode.tryAgainLater, message, details);
}

/** A CNI error object on stdout, exit code 1. */
export function failure(call: PluginCall, code: ClientErrorCode, msg: string, details = ""): PluginAnswer {
  // A daemon that is away makes STATUS answer "not available", which has a code of its own.
  const away = code === ClientErrorCode.tryAgainLater && call.environment["CNI_COMMAND"] === "STATUS";
  const shown = away ? ClientErrorCode.notAvailable : code;
  const error = { cniVersion: versionOf(call.stdin), code: shown, msg, details };
  return { exitCode: 1, stdout: `${JSON.stringify(error)}\n` };
}

function done(answer: PluginAnswer): PluginStep {
  return { kind: "answer", answer };
}

function versionOf(stdin: string): string {
  return textMember(stdin, "cniVersion") ?? defaultVersion;
}

/** A string member of the configuration; malformed text has none, and the daemon says so. */
function textMember(text: string, key: string): string | undefined {
  const value = memberOf(parse(text), key);
  return typeof value === "string" ? value : undefined;
}

function memberOf(value: unknown, key: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
  return Reflect.get(value, key);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
