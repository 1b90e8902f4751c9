import { Type } from "../../type.ts";
import { text } from "../../resource-schema.ts";
import { duration, flag, oneOf, oneOfAnyCase, pattern, whole, words } from "./setting.ts";

const logLevels = ["Trace", "Debug", "Info", "Warning", "Error", "Fatal"];
const maxPort = { minimum: 0, maximum: 65535 };

/** The agent itself: its logs, health, metrics, reports and debugging. */
export const processSettings = {
  featureDetectOverride: pattern("^([a-zA-Z0-9_-]+=(true|false|),)*([a-zA-Z0-9_-]+=(true|false|))?$"),
  featureGates: pattern("^([a-zA-Z0-9_-]+=([^=]+),)*([a-zA-Z0-9_-]+=([^=]+))?$"),
  goGCThreshold: whole(40),
  goMaxProcs: whole(-1),
  goMemoryLimitMB: whole(-1),
  healthEnabled: flag(false),
  healthHost: words("localhost"),
  healthPort: whole(9099, maxPort),
  healthTimeoutOverrides: Type.Optional(
    Type.Array(
      Type.Object({ name: Type.String({ pattern: "^[a-zA-Z0-9_ -]+$" }), timeout: text("goDuration") }),
    ),
  ),
  logActionRateLimit: pattern("^[1-9][0-9]{0,3}/(second|minute|hour|day)$"),
  logActionRateLimitBurst: whole(5, { minimum: 0, maximum: 9999 }),
  logDebugFilenameRegex: words(""),
  logFilePath: words("/var/log/calico/felix.log"),
  logPrefix: pattern("^[a-zA-Z0-9%: /_-]*$", "calico-packet"),
  logSeverityFile: oneOfAnyCase(logLevels, "Info"),
  logSeverityScreen: oneOfAnyCase(logLevels, "Info"),
  logSeveritySys: oneOfAnyCase(logLevels, "Info"),
  prometheusGoMetricsEnabled: flag(true),
  prometheusMetricsCAFile: words(""),
  prometheusMetricsCertFile: words(""),
  prometheusMetricsClientAuth: oneOfAnyCase(
    ["NoClientCert", "RequireAnyClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"],
    "NoClientCert",
  ),
  prometheusMetricsEnabled: flag(false),
  prometheusMetricsHost: pattern("^[a-zA-Z0-9:._+-]{1,64}$"),
  prometheusMetricsKeyFile: words(""),
  prometheusMetricsPort: whole(9091, maxPort),
  prometheusProcessMetricsEnabled: flag(true),
  prometheusWireGuardMetricsEnabled: flag(true),
  flowLogsCollectorDebugTrace: flag(false),
  flowLogsFlushInterval: duration("5m0s"),
  flowLogsGoldmaneServer: words(""),
  flowLogsLocalReporter: oneOf(["Disabled", "Enabled"], "Disabled"),
  flowLogsPolicyEvaluationMode: oneOf(["None", "Continuous"], "Continuous"),
  usageReportingEnabled: flag(true),
  usageReportingInitialDelay: duration("5m0s"),
  usageReportingInterval: duration("24h0m0s"),
  debugDisableLogDropping: flag(false),
  debugHost: words("localhost"),
  debugMemoryProfilePath: words(""),
  debugPort: whole("", maxPort),
  debugSimulateCalcGraphHangAfter: duration("0s"),
  debugSimulateDataplaneApplyDelay: duration("0s"),
  debugSimulateDataplaneHangAfter: duration("0s"),
} as const;
