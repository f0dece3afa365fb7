/* Stand-in for the quTAG's library (tdcbase.h, tdcmultidev.h): plays back records, insists on the order of calls.

   Compile with -DMANY for the library of quTAG MC and HR, -DOLD for one whose TDC_getTimebase returns the time base.

   Environment, read by TDC_discover:
     STANDIN_TAGS      file of 10-byte records (int64 time, int16 channel), no header; ticks of 1 ms are added here
     STANDIN_BLOCK     records of one read, 1000
     STANDIN_RATE      tags per second on the wall clock, the file repeated for ever
     STANDIN_LOST_AT   number of the read with which a loss is told, counted from 0
     STANDIN_SKIP_AT, STANDIN_SKIP  number of the read before which so many records are overwritten; it has a full buffer
     STANDIN_VANISH_AT number of the read from which on there is no connection
     STANDIN_SILENT_AT number of the read from which on nothing comes and nothing is said
     STANDIN_DEVICES, 1; STANDIN_VERSION, 1.52; STANDIN_TIMEBASE, 1e-12; STANDIN_NO_MARKERS 1

   standin_log() gives the calls that set something, one per line; standin_made() the tags made so far. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define API __attribute__((visibility("default")))
#ifdef MANY
#define FIRST 1 /* input that has number 0 */
#else
#define FIRST 0
#endif
enum { Ok = 0, NotConnected = 2, NoDevice = 9, OutOfRange = 10, NotInitialized = 12, NotAvailable = 14 };

static char calls[65536];
static int discovered, connected, addressed, frozen, markers, mask, reads, lost;
static int32_t size;
static int64_t count, next, made, last_tick, newest;
static double begun;
static int64_t *times;
static int16_t *channels;

static double number(const char *name, double otherwise) {
  const char *text = getenv(name);
  return text && *text ? atof(text) : otherwise;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}

static void note(const char *text) {
  if (strlen(calls) + strlen(text) + 2 < sizeof calls) strcat(strcat(calls, text), "\n");
}

static void load(void) {
  const char *path = getenv("STANDIN_TAGS");
  FILE *file = path ? fopen(path, "rb") : NULL;
  unsigned char record[10];
  count = 0;
  if (!file) return;
  fseek(file, 0, SEEK_END);
  long bytes = ftell(file);
  rewind(file);
  times = realloc(times, bytes / 10 * 8 + 8);
  channels = realloc(channels, bytes / 10 * 2 + 2);
  while (fread(record, 10, 1, file) == 1) {
    memcpy(&times[count], record, 8);
    memcpy(&channels[count], record + 8, 2);
    count++;
  }
  fclose(file);
}

API const char *standin_log(void) { return calls; }
API long long standin_made(void) { return made; }

API double TDC_getVersion(void) { return number("STANDIN_VERSION", 1.52); }

API const char *TDC_perror(int code) {
  return code == NotConnected ? "No connection was established"
       : code == OutOfRange   ? "Parameter in function call is out of range"
       : code == NotAvailable ? "Requested feature is not available"
                              : "Unspecified error";
}

API int TDC_discover(unsigned int *found) {
  calls[0] = 0;
  load();
  discovered = 1;
  connected = addressed = markers = mask = reads = lost = frozen = 0;
  size = 0;
  next = made = 0;
  newest = last_tick = count ? times[0] : 0;
  *found = (unsigned)number("STANDIN_DEVICES", 1);
  return Ok;
}

API int TDC_getDeviceInfo(unsigned int device, int *type, int *id, char *serial, int32_t *is) {
  if (!discovered) return NotInitialized;
  if (device >= number("STANDIN_DEVICES", 1)) return NoDevice;
  if (type) *type = 0;
  if (id) *id = -1;
  if (serial) snprintf(serial, 16, "T 02 00%u", device);
  if (is) *is = connected;
  return Ok;
}

API int TDC_connect(unsigned int device) {
  if (!discovered) return NotInitialized;
  if (device >= number("STANDIN_DEVICES", 1)) return NoDevice;
  connected = 1;
  return Ok;
}

API int TDC_addressDevice(unsigned int device) {
  if (!connected) return NotConnected;
  addressed = device < number("STANDIN_DEVICES", 1);
  return addressed ? Ok : NoDevice;
}

API int TDC_disconnect(unsigned int device) {
  note("disconnect");
  connected = addressed = 0;
  return device < number("STANDIN_DEVICES", 1) ? Ok : NoDevice;
}

API int TDC_deInit(void) {
  note("deInit");
  discovered = connected = addressed = 0;
  return Ok;
}

#ifdef OLD
API double TDC_getTimebase(void) { return 1e-12; }
#else
API int TDC_getTimebase(double *base) {
  if (!addressed) return NotConnected;
  *base = number("STANDIN_TIMEBASE", 1e-12);
  return Ok;
}
#endif

#define SET(format, ...)                         \
  do {                                           \
    char line[160];                              \
    if (!addressed) return NotConnected;         \
    snprintf(line, sizeof line, format, __VA_ARGS__); \
    note(line);                                  \
  } while (0)

#ifdef MANY
API int32_t TDC_getChannelCount(void) { return 17; }

API int TDC_enableChannels(int32_t start, int32_t bits) {
  SET("enableChannels %d %d", start, bits);
  mask = bits << 1;
  return Ok;
}

API int TDC_setChannelDelay(int32_t channel, int32_t delay) {
  SET("setChannelDelay %d %d", channel, delay);
  return abs(delay) > 50000 ? OutOfRange : Ok;
}
#else
API int TDC_enableChannels(int32_t bits) {
  SET("enableChannels %d", bits);
  mask = bits;
  return Ok;
}

API int TDC_setFiveChannelMode(int32_t on) {
  SET("setFiveChannelMode %d", on);
  return Ok;
}

API int TDC_setChannelDelays(const int32_t *delays) {
  SET("setChannelDelays %d %d %d %d %d", delays[0], delays[1], delays[2], delays[3], delays[4]);
  return Ok;
}

API int TDC_setDeadTime(int32_t channel, int32_t ps) {
  SET("setDeadTime %d %d", channel, ps);
  return Ok;
}
#endif

API int TDC_configureSignalConditioning(int32_t channel, int32_t kind, int32_t edge, double volt) {
  SET("configureSignalConditioning %d %d %d %.3f", channel, kind, edge, volt);
  return volt < -2 || volt > 3 ? OutOfRange : Ok;
}

API int TDC_enableMarkers(int32_t bits) {
  if (number("STANDIN_NO_MARKERS", 0)) return NotAvailable;
  SET("enableMarkers %d", bits);
  markers = bits;
  return Ok;
}

API int TDC_enableTdcInput(int32_t on) {
  SET("enableTdcInput %d", on);
  return Ok;
}

API int TDC_freezeBuffers(int32_t on) {
  SET("freezeBuffers %d", on);
  frozen = on;
  return Ok;
}

API int TDC_setTimestampBufferSize(int32_t wanted) {
  SET("setTimestampBufferSize %d", wanted);
  if (wanted < 1 || wanted > 1000000) return OutOfRange;
  size = wanted;
  begun = now();
  return Ok;
}

API int TDC_getDataLost(int32_t *is) {
  if (reads > number("STANDIN_VANISH_AT", 1e18)) return NotConnected;
  if (!addressed) return NotConnected;
  *is = lost;
  lost = 0;
  return Ok;
}

static int64_t wanted_at(double rate) { return rate > 0 ? (int64_t)((now() - begun) * rate) : 0; }

API int TDC_getLastTimestamps(int32_t reset, int64_t *time, uint8_t *channel, int32_t *valid) {
  double rate = number("STANDIN_RATE", 0);
  int32_t n = 0;
  int at = reads++;
  *valid = 0;
  if (!addressed || at >= number("STANDIN_VANISH_AT", 1e18) || at >= number("STANDIN_SILENT_AT", 1e18)) return Ok;
  if (at == (int)number("STANDIN_LOST_AT", -1)) lost = 1;
  int64_t until;
  if (rate > 0) {
    until = frozen ? next : wanted_at(rate);
    made = until;
    if (until - next > size) next = until - size; /* overwritten */
  } else {
    int skip = at == (int)number("STANDIN_SKIP_AT", -1);
    if (skip) next += (int64_t)number("STANDIN_SKIP", 0);
    until = next + (skip ? size : (int64_t)number("STANDIN_BLOCK", 1000));
    if (until > count) until = count;
  }
  if (count) {
    int64_t span = times[count - 1] - times[0] + 1000;
    for (; next < until && n < size; next++) {
      int64_t k = next % count;
      if (!(mask >> channels[k] & 1)) continue;
      time[n] = times[k] + next / count * span;
      channel[n] = (uint8_t)(channels[k] - FIRST);
      newest = time[n] > newest ? time[n] : newest;
      n++;
    }
  }
  if (markers & 16 && n < size && !frozen) {
    int64_t tick = rate > 0 || next < count ? newest : newest + (int64_t)((now() - begun) * 1e12);
    if (tick > last_tick) {
      time[n] = last_tick = tick;
      channel[n++] = 104;
    }
  }
  if (!reset) return Ok;
  *valid = n;
  return Ok;
}
