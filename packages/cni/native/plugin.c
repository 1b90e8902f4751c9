/*
 * The CNI plugins `calico` and `calico-ipam`: one call of a container runtime carried to the node daemon.
 *
 * It sends command, environment and stdin over the daemon's Unix socket as one JSON line, prints the daemon's answer and
 * exits with its code. It decides nothing: networks, addresses and errors of substance are the daemon's, in TypeScript.
 * src/plugin.ts is the same program for Node, used where this one cannot be built; both pass one test suite.
 * docs/cni-startup.md has the figures that made this file C.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* A network configuration longer than this is refused. */
#define INPUT_BYTES_MAX (1 << 20)
/* The daemon's own bound on a line, both ways. */
#define LINE_BYTES_MAX (4 << 20)
/* Longer than any deadline inside the daemon, shorter than the two minutes a kubelet waits. */
#define ANSWER_SECONDS 100
#define RUN_DIRECTORY_DEFAULT "/var/run/calico"
#define VERSION_DEFAULT "1.1.0"
/* As `calico -v` prints it. */
#define PLUGIN_VERSION "v0.1.0"
#define VERSIONS "[\"0.1.0\",\"0.2.0\",\"0.3.0\",\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]"

/* Error codes of the CNI specification, section "Error". */
enum { INVALID_ENVIRONMENT = 4, IO_FAILURE = 5, DECODE_FAILURE = 6, INVALID_CONFIG = 7, TRY_AGAIN_LATER = 11, NOT_AVAILABLE = 50 };

struct text {
  char *bytes;
  size_t length, capacity;
  int overflow;
};

static char input[INPUT_BYTES_MAX + 1];
static char request_bytes[LINE_BYTES_MAX];
static char answer[LINE_BYTES_MAX + 1];
static char output[LINE_BYTES_MAX];
static char cni_version[32] = VERSION_DEFAULT;
static const char *command = "";

/* --- output ------------------------------------------------------------------------------------------------------ */

static void append(struct text *to, const char *bytes, size_t length) {
  if (length > to->capacity - to->length) {
    to->overflow = 1;
    return;
  }
  memcpy(to->bytes + to->length, bytes, length);
  to->length += length;
}

static void append_literal(struct text *to, const char *literal) {
  append(to, literal, strlen(literal));
}

/* A JSON string; bytes above 0x7f pass as they are, UTF-8 or not: the daemon's decoder replaces what is malformed. */
static void append_string(struct text *to, const char *value, size_t length) {
  static const char hex[] = "0123456789abcdef";
  append(to, "\"", 1);
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)value[i];
    if (c == '"' || c == '\\') {
      char escaped[2] = {'\\', (char)c};
      append(to, escaped, 2);
    } else if (c < 0x20) {
      char escaped[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
      append(to, escaped, 6);
    } else {
      append(to, value + i, 1);
    }
  }
  append(to, "\"", 1);
}

static void write_all(int fd, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t written = write(fd, bytes, length);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    bytes += written;
    length -= (size_t)written;
  }
}

/* Prints a CNI error object and ends. Safe in a signal handler: its own buffer, write(2) and _exit(2) only. */
static void fail(int code, const char *message, const char *details) {
  static char bytes[8192];
  struct text out = {bytes, 0, sizeof bytes, 0};
  /* A daemon that is away makes STATUS answer "not available", which has a code of its own. */
  int shown = code == TRY_AGAIN_LATER && strcmp(command, "STATUS") == 0 ? NOT_AVAILABLE : code;
  char digits[2] = {(char)('0' + shown / 10), (char)('0' + shown % 10)};
  append_literal(&out, "{\"cniVersion\":");
  append_string(&out, cni_version, strlen(cni_version));
  append_literal(&out, ",\"code\":");
  if (shown >= 10) append(&out, digits, 2);
  else append(&out, digits + 1, 1);
  append_literal(&out, ",\"msg\":");
  append_string(&out, message, strlen(message));
  append_literal(&out, ",\"details\":");
  append_string(&out, details, strlen(details));
  append_literal(&out, "}\n");
  write_all(STDOUT_FILENO, bytes, out.length);
  _exit(1);
}

static void on_alarm(int signal_number) {
  (void)signal_number;
  fail(TRY_AGAIN_LATER, "the node daemon did not answer in time", "");
}

/* --- just enough JSON: find a member, read a string ----------------------------------------------------------------- */

static const char *skip_space(const char *at) {
  while (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r') at++;
  return at;
}

/* Past the string that opens at `at`, or NULL. */
static const char *skip_string(const char *at) {
  if (*at++ != '"') return NULL;
  for (; *at != '"'; at++) {
    if (*at == '\\') at++;
    if (*at == '\0') return NULL;
  }
  return at + 1;
}

/* Past the value at `at`, or NULL. Brackets are counted, not matched by kind: the daemon is the one that validates. */
static const char *skip_value(const char *at) {
  int depth = 0;
  at = skip_space(at);
  do {
    if (*at == '\0') return NULL;
    if (*at == '"') {
      at = skip_string(at);
      if (at == NULL) return NULL;
    } else {
      if (*at == '{' || *at == '[') depth++;
      if (*at == '}' || *at == ']') depth--;
      at++;
    }
  } while (depth > 0 || (*at != ',' && *at != '}' && *at != ']' && *at != '\0'));
  return at;
}

/* The value of `key` in the object at `at`, or NULL. */
static const char *member(const char *at, const char *key) {
  size_t length = strlen(key);
  if (at == NULL) return NULL;
  at = skip_space(at);
  if (*at++ != '{') return NULL;
  for (;;) {
    at = skip_space(at);
    const char *name = at;
    at = skip_string(at);
    if (at == NULL) return NULL;
    int found = (size_t)(at - name) == length + 2 && memcmp(name + 1, key, length) == 0;
    at = skip_space(at);
    if (*at++ != ':') return NULL;
    if (found) return skip_space(at);
    at = skip_value(at);
    if (at == NULL) return NULL;
    at = skip_space(at);
    if (*at++ != ',') return NULL;
  }
}

static int hex4(const char *at) {
  int value = 0;
  for (int i = 0; i < 4; i++) {
    char c = at[i];
    int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

static void append_utf8(struct text *to, int point) {
  char bytes[4];
  if (point < 0x80) {
    bytes[0] = (char)point;
    append(to, bytes, 1);
  } else if (point < 0x800) {
    bytes[0] = (char)(0xc0 | point >> 6);
    bytes[1] = (char)(0x80 | (point & 63));
    append(to, bytes, 2);
  } else if (point < 0x10000) {
    bytes[0] = (char)(0xe0 | point >> 12);
    bytes[1] = (char)(0x80 | (point >> 6 & 63));
    bytes[2] = (char)(0x80 | (point & 63));
    append(to, bytes, 3);
  } else {
    bytes[0] = (char)(0xf0 | point >> 18);
    bytes[1] = (char)(0x80 | (point >> 12 & 63));
    bytes[2] = (char)(0x80 | (point >> 6 & 63));
    bytes[3] = (char)(0x80 | (point & 63));
    append(to, bytes, 4);
  }
}

/* Decodes the JSON string at `at` into `to`; returns 0 when it is no string. */
static int read_string(const char *at, struct text *to) {
  static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
  if (at == NULL || skip_string(at) == NULL) return 0;
  for (at++; *at != '"'; at++) {
    const char *name;
    if (*at != '\\') {
      append(to, at, 1);
    } else if (*++at == 'u') {
      int point = hex4(at + 1);
      if (point < 0) return 0;
      at += 4;
      /* A surrogate pair is one character in two escapes. */
      if (point >= 0xd800 && point < 0xdc00 && at[1] == '\\' && at[2] == 'u') {
        int low = hex4(at + 3);
        if (low < 0xdc00 || low > 0xdfff) return 0;
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
        at += 6;
      }
      append_utf8(to, point);
    } else {
      name = strchr(names, *at);
      if (name == NULL) return 0;
      append(to, &values[name - names], 1);
    }
  }
  return !to->overflow;
}

/* The string member of the object, NUL-terminated in `into`, if it is there and fits. */
static int read_member(const char *object, const char *key, char *into, size_t capacity) {
  struct text value = {into, 0, capacity - 1, 0};
  const char *at = member(object, key);
  if (at == NULL || *at != '"' || !read_string(at, &value)) return 0;
  into[value.length] = '\0';
  return 1;
}

/* --- the call ------------------------------------------------------------------------------------------------------- */

static const char *variable(const char *name) {
  const char *value = getenv(name);
  return value == NULL ? "" : value;
}

static void read_input(void) {
  size_t length = 0;
  for (;;) {
    ssize_t got = read(STDIN_FILENO, input + length, sizeof input - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(IO_FAILURE, "the network configuration cannot be read from stdin", strerror(errno));
    if (got == 0) break;
    length += (size_t)got;
    if (length == sizeof input) fail(INVALID_CONFIG, "the network configuration is longer than 1 MiB", "");
  }
  input[length] = '\0';
  /* Calico's text would be cut at a NUL, and JSON has none: let the daemon say that this is no JSON. */
  if (strlen(input) != length) strcpy(input, "\\0");
}

static void append_parameter(struct text *to, const char *name, const char *value) {
  append_literal(to, ",\"");
  append_literal(to, name);
  append_literal(to, "\":");
  append_string(to, value, strlen(value));
}

static size_t build_request(const char *plugin, const char *arguments) {
  struct text line = {request_bytes, 0, sizeof request_bytes, 0};
  append_literal(&line, "{\"id\":1,\"method\":\"cni\",\"params\":{\"plugin\":");
  append_string(&line, plugin, strlen(plugin));
  append_parameter(&line, "command", command);
  append_parameter(&line, "containerId", variable("CNI_CONTAINERID"));
  append_parameter(&line, "netns", variable("CNI_NETNS"));
  append_parameter(&line, "ifname", variable("CNI_IFNAME"));
  append_parameter(&line, "args", arguments);
  append_parameter(&line, "path", variable("CNI_PATH"));
  append_parameter(&line, "stdin", input);
  append_literal(&line, "}}\n");
  if (line.overflow) fail(INVALID_CONFIG, "the call is longer than 4 MiB", "");
  return line.length;
}

/* Input that is no object never becomes a configuration, and may be why the daemon was sought in the wrong place. Its two
 * ends decide: more is for the daemon to judge. */
static int looks_like_object(const char *text) {
  const char *start = skip_space(text), *end = start + strlen(start);
  while (end > start && strchr(" \t\n\r", end[-1]) != NULL) end--;
  return *start == '{' && end - start > 1 && end[-1] == '}';
}

static int connect_daemon(void) {
  static char directory[4096];
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  struct timeval patience = {ANSWER_SECONDS, 0};
  static char message[512];
  if (!read_member(input, "caracal_run_dir", directory, sizeof directory)) {
    const char *named = variable("CARACAL_RUN_DIR");
    snprintf(directory, sizeof directory, "%s", *named == '\0' ? RUN_DIRECTORY_DEFAULT : named);
  }
  int length = snprintf(address.sun_path, sizeof address.sun_path, "%s/control.sock", directory);
  if (length < 0 || (size_t)length >= sizeof address.sun_path) {
    fail(INVALID_CONFIG, "the path of the node daemon's socket is longer than 107 bytes", directory);
  }
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail(IO_FAILURE, "a Unix socket cannot be made", strerror(errno));
  /* connect(2) waits while the daemon's queue of connections is full; the alarm ends that too. */
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
    const char *reason = strerror(errno);
    if (!looks_like_object(input)) {
      fail(DECODE_FAILURE, "the network configuration on stdin is no JSON object", "");
    }
    snprintf(message, sizeof message, "the node daemon cannot be reached at %s", address.sun_path);
    fail(TRY_AGAIN_LATER, message, reason);
  }
  return fd;
}

static void exchange(int fd, size_t request_length) {
  size_t length = 0;
  write_all(fd, request_bytes, request_length);
  for (;;) {
    ssize_t got = read(fd, answer + length, LINE_BYTES_MAX - length);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) fail(TRY_AGAIN_LATER, "the node daemon closed the connection before it answered", "");
    char *end = memchr(answer + length, '\n', (size_t)got);
    length += (size_t)got;
    if (end != NULL) {
      *end = '\0';
      return;
    }
    if (length == LINE_BYTES_MAX) fail(IO_FAILURE, "the node daemon's answer is longer than 4 MiB", "");
  }
}

static int print_answer(void) {
  struct text out = {output, 0, sizeof output, 0};
  static char message[2048];
  const char *result = member(answer, "result");
  const char *exit_code = member(result, "exitCode");
  if (exit_code == NULL || !read_string(member(result, "stdout"), &out)) {
    if (read_member(member(answer, "error"), "message", message, sizeof message)) {
      fail(TRY_AGAIN_LATER, "the node daemon refused the call", message);
    }
    fail(IO_FAILURE, "the node daemon's answer cannot be read", "");
  }
  write_all(STDOUT_FILENO, output, out.length);
  out.length = 0;
  const char *log = member(result, "stderr");
  if (log != NULL && read_string(log, &out)) write_all(STDERR_FILENO, output, out.length);
  return atoi(exit_code);
}

/* Calico's options, for people and installers; a runtime gives none. */
static const char *command_of_option(const char *option, const char *plugin) {
  static char details[128];
  if (strcmp(option, "-v") == 0) {
    write_all(STDOUT_FILENO, PLUGIN_VERSION "\n", strlen(PLUGIN_VERSION "\n"));
    _exit(0);
  }
  if (strcmp(option, "-t") == 0) return "TEST";
  if (strcmp(option, "-upgrade") == 0 && strcmp(plugin, "calico-ipam") == 0) return "UPGRADE";
  snprintf(details, sizeof details, "it is \"%.80s\"", option);
  fail(INVALID_ENVIRONMENT, "an option that this program does not know", details);
  return NULL;
}

int main(int argc, char **argv) {
  const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
  const char *name = argc == 0 ? "calico" : slash == NULL ? argv[0] : slash + 1;
  const char *plugin = strcmp(name, "calico-ipam") == 0 ? name : "calico";
  const char *arguments = variable("CNI_ARGS");
  /* A daemon that goes away while it is written to is an answer, not a signal. */
  signal(SIGPIPE, SIG_IGN);
  signal(SIGALRM, on_alarm);
  alarm(ANSWER_SECONDS);
  if (argc > 1) {
    command = command_of_option(argv[1], plugin);
    arguments = argc > 2 ? argv[2] : "";
  } else {
    command = variable("CNI_COMMAND");
    if (*command == '\0') fail(INVALID_ENVIRONMENT, "CNI_COMMAND is not set", "this program is called by a container runtime");
  }
  if (strcmp(command, "UPGRADE") == 0) strcpy(input, "{}");
  else read_input();
  if (!read_member(input, "cniVersion", cni_version, sizeof cni_version)) strcpy(cni_version, VERSION_DEFAULT);
  if (strcmp(command, "VERSION") == 0) {
    struct text out = {output, 0, sizeof output, 0};
    append_literal(&out, "{\"cniVersion\":");
    append_string(&out, cni_version, strlen(cni_version));
    append_literal(&out, ",\"supportedVersions\":" VERSIONS "}\n");
    write_all(STDOUT_FILENO, output, out.length);
    return 0;
  }
  size_t request_length = build_request(plugin, arguments);
  exchange(connect_daemon(), request_length);
  return print_answer();
}
