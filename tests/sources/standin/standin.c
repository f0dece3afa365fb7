/* Stand-in for the PicoQuant programming libraries: one source, compiled once per model, that exports the vendor's
   functions, insists on their order and ranges as the vendor's manuals and headers give them, and plays back records.

   Compile with -DPREFIX=HH_ -DHH400 (PH_ PH300, TH260_ TH260, HH_ HH400, MH_ MH150, PH330_ PH330).

   Environment, read when a device is opened:
     STANDIN_RECORDS   file of raw 32-bit records
     STANDIN_LOOP      1: play them for ever
     STANDIN_RATE      records per second on the wall clock; 0 or nothing: all are there at once, and the measurement is
                       over when they are read
     STANDIN_FIFO      records that the FIFO holds
     STANDIN_FULL_AT   the FIFO overruns once when so many records were delivered; STANDIN_FULL_LOST are skipped then
     STANDIN_VANISH_AT the device is gone when so many records were delivered
     STANDIN_SYSTEM_AT hardware error flag when so many records were delivered
     STANDIN_SYNC_LOST N:MS  after N records no sync for MS ms, and in T3 no records
     STANDIN_REF_LOST, STANDIN_DROPPED  N:M  flag while N to M records were delivered
     STANDIN_WARNINGS  bits of GetWarnings
     STANDIN_VERSION   of the library; STANDIN_HARDWARE model of the device; STANDIN_SERIAL; STANDIN_INPUTS
     STANDIN_WAIT_MS   after Initialize or SetSyncDiv until rates are valid, 100
     STANDIN_SYNC_HZ   sync rate; STANDIN_NO_PERIOD 1: GetSyncPeriod knows nothing
     STANDIN_REPORT    file that CloseDevice writes the counters to

   standin_number(name) gives a counter: made, delivered, lost, waiting, starts, stops, reads, errors. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GLUE2(a, b) a##b
#define GLUE(a, b) GLUE2(a, b)
#define F(name) __attribute__((visibility("default"))) int GLUE(PREFIX, name)

#if defined(PH300)
enum { MAX_READ = 131072, DEVICES = 8, DIVIDER = 8, BINS = 8, FULL = 0x3, SYNC = 0, REF = 0, SYSTEM = 0x100, DROPPED = 0, RUNNING = 0 };
#define VERSION "3.0"
#define MODEL "PicoHarp 300"
#define BASE_PS 4.0
#define FIFO 262144
#elif defined(TH260)
enum { MAX_READ = 131072, DEVICES = 4, DIVIDER = 8, BINS = 22, FULL = 2, SYNC = 4, REF = 0, SYSTEM = 0x10, DROPPED = 8, RUNNING = 0 };
#define VERSION "3.2"
#define MODEL "TimeHarp 260 P"
#define BASE_PS 25.0
#define FIFO 2097152
#elif defined(HH400)
enum { MAX_READ = 131072, DEVICES = 8, DIVIDER = 16, BINS = 26, FULL = 2, SYNC = 4, REF = 8, SYSTEM = 0x10, DROPPED = 0, RUNNING = 0x20 };
#define VERSION "3.0"
#define MODEL "HydraHarp 400"
#define BASE_PS 1.0
#define FIFO 2097152
#elif defined(MH150)
enum { MAX_READ = 1048576, DEVICES = 8, DIVIDER = 16, BINS = 24, FULL = 2, SYNC = 4, REF = 8, SYSTEM = 0x10, DROPPED = 0x40, RUNNING = 0x20 };
#define VERSION "3.1"
#define MODEL "MultiHarp 150 4P"
#define BASE_PS 5.0
#define FIFO 134217728
#elif defined(PH330)
enum { MAX_READ = 1048576, DEVICES = 8, DIVIDER = 8, BINS = 24, FULL = 2, SYNC = 4, REF = 8, SYSTEM = 0x10, DROPPED = 0x40, RUNNING = 0x20 };
#define VERSION "2.0"
#define MODEL "PicoHarp 330"
#define BASE_PS 1.0
#define FIFO 134217728
#else
#error "which model?"
#endif

enum { OK = 0, OPEN_FAIL = -1, NOT_OPEN = -10, LOCKED = -11, BUSY = -16, ARGUMENT = -17, MODE = -18, NOT_READY = -22,
       NOT_CALIBRATED = -23, COMMAND = -36, BULK = -37, UNSUPPORTED = -80, WRONG_TRIGGER = -81 };

static struct {
    int open, mode, running, calibrated, binning, triggers[65], gone, full, full_done, rated;
    unsigned *records;
    long long length, fifo, full_at, full_lost, vanish_at, system_at, sync_at, sync_ms, ref[2], dropped[2];
    long long position;   /* in the records: what comes into the FIFO next */
    long long waiting;    /* in the FIFO */
    long long skipped;    /* lost since the measurement was started */
    long long produced;   /* of this measurement, by its clock */
    long long made, delivered, lost, starts, stops, reads, errors;
    int loop, warnings, inputs, no_period, acquisition_ms;
    double rate, sync_hz, began, changed, sync_gone, silent, stopped_at;
    char version[16], model[32], serial[16], report[1024], first_error[64];
} d;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

static const char *text(const char *name, const char *otherwise) {
    const char *value = getenv(name);
    return value && *value ? value : otherwise;
}

static long long number(const char *name, long long otherwise) {
    const char *value = text(name, "");
    return *value ? (long long)atof(value) : otherwise;
}

static void pair(const char *name, long long *first, long long *second) {
    double a = -1, b = -1;
    sscanf(text(name, ""), "%lf:%lf", &a, &b);
    *first = (long long)a;
    *second = (long long)b;
}

static int fault(const char *where, int code) {
    d.errors++;
    if (!d.first_error[0]) snprintf(d.first_error, sizeof d.first_error, "%s %d", where, code);
    return code;
}

static int ready(const char *where, int dev, int may_run) {
    if (dev < 0 || dev >= DEVICES) return fault(where, ARGUMENT);
    if (dev != 1 || !d.open) return fault(where, NOT_OPEN); /* the device is the second: drivers must look for it */
    if (d.gone) return COMMAND;
    if (!d.mode) return fault(where, NOT_READY);
    if (d.running && !may_run) return fault(where, BUSY);
    return OK;
}

#define READY(may_run) do { int code = ready(__func__, dev, may_run); if (code) return code; } while (0)
#define CHECK(condition) do { if (!(condition)) return fault(__func__, ARGUMENT); } while (0)

F(GetLibraryVersion)(char *version) {
    strcpy(version, text("STANDIN_VERSION", VERSION));
    return OK;
}

F(GetErrorString)(char *out, int code) {
    const char *said = code == OPEN_FAIL ? "device open failed" : code == BULK ? "USB bulk read failed"
        : code == COMMAND ? "USB command failed" : code == ARGUMENT ? "invalid argument" : code == LOCKED ? "device is locked"
        : code == NOT_CALIBRATED ? "not calibrated" : code == WRONG_TRIGGER ? "wrong trigger mode" : "some error";
    strcpy(out, said);
    return OK;
}

static void load(const char *path) {
    FILE *file = *path ? fopen(path, "rb") : NULL;
    free(d.records);
    d.records = NULL;
    d.length = 0;
    if (!file) return;
    fseek(file, 0, SEEK_END);
    d.length = ftell(file) / 4;
    rewind(file);
    d.records = malloc(4 * d.length + 4);
    if (fread(d.records, 4, d.length, file) != (size_t)d.length) d.length = 0;
    fclose(file);
}

F(OpenDevice)(int dev, char *serial) {
    CHECK(dev >= 0 && dev < DEVICES);
    strcpy(serial, "");
    if (dev != 1 && dev != 2) return OPEN_FAIL;
    strcpy(serial, dev == 2 ? "0000002" : text("STANDIN_SERIAL", "1012345"));
    if (dev == 2) return LOCKED; /* another program has the third one */
    if (d.open) return LOCKED;
    unsigned *records = d.records;
    memset(&d, 0, sizeof d);
    d.records = records;
    load(text("STANDIN_RECORDS", ""));
    d.open = 1;
    d.loop = number("STANDIN_LOOP", 0) != 0;
    d.rate = atof(text("STANDIN_RATE", "0"));
    d.fifo = number("STANDIN_FIFO", FIFO);
    d.full_at = number("STANDIN_FULL_AT", -1);
    d.full_lost = number("STANDIN_FULL_LOST", 0);
    d.vanish_at = number("STANDIN_VANISH_AT", -1);
    d.system_at = number("STANDIN_SYSTEM_AT", -1);
    pair("STANDIN_SYNC_LOST", &d.sync_at, &d.sync_ms);
    pair("STANDIN_REF_LOST", &d.ref[0], &d.ref[1]);
    pair("STANDIN_DROPPED", &d.dropped[0], &d.dropped[1]);
    d.warnings = (int)number("STANDIN_WARNINGS", 0);
    d.sync_hz = atof(text("STANDIN_SYNC_HZ", "80e6"));
    d.no_period = number("STANDIN_NO_PERIOD", 0) != 0;
#ifdef PH300
    d.inputs = 1;
#else
    d.inputs = (int)number("STANDIN_INPUTS", 2);
#endif
    snprintf(d.model, sizeof d.model, "%s", text("STANDIN_HARDWARE", MODEL));
    snprintf(d.report, sizeof d.report, "%s", text("STANDIN_REPORT", ""));
    return OK;
}

F(CloseDevice)(int dev) {
    if (dev != 1 || !d.open) return NOT_OPEN;
    if (d.report[0]) {
        FILE *file = fopen(d.report, "w");
        if (file) {
            fprintf(file, "{\"made\": %lld, \"delivered\": %lld, \"lost\": %lld, \"waiting\": %lld, \"starts\": %lld, "
                    "\"stops\": %lld, \"reads\": %lld, \"errors\": %lld, \"first_error\": \"%s\", \"stopped_at\": %.6f}\n",
                    d.made, d.delivered, d.lost, d.waiting, d.starts, d.stops, d.reads, d.errors, d.first_error,
                    d.stopped_at);
            fclose(file);
        }
    }
    d.open = d.mode = d.running = 0;
    return OK;
}

static int initialize(const char *where, int dev, int mode) {
    if (dev != 1 || !d.open) return fault(where, NOT_OPEN);
    if (mode != 0 && mode != 2 && mode != 3) return fault(where, MODE);
    d.mode = mode;
    d.changed = now();
    return OK;
}

#if defined(PH300) || defined(TH260)
F(Initialize)(int dev, int mode) { return initialize(__func__, dev, mode); }
#else
F(Initialize)(int dev, int mode, int source) {
#if defined(PH330)
    CHECK(source >= 0 && source <= 3);
#elif defined(HH400)
    CHECK(source >= 0 && source <= 1);
#else
    CHECK(source >= 0 && source <= 9);
#endif
    return initialize(__func__, dev, mode);
}
#endif

F(GetHardwareInfo)(int dev, char *model, char *part, char *version) {
    READY(0);
    strcpy(model, d.model);
    strcpy(part, "930000");
    strcpy(version, "2.0");
    return OK;
}

F(GetBaseResolution)(int dev, double *resolution, int *steps) {
    READY(0);
    *resolution = strstr(d.model, "260 N") ? 250.0 : BASE_PS;
    *steps = BINS;
    return OK;
}

#if defined(PH300) || defined(HH400)
F(Calibrate)(int dev) {
    READY(0);
    d.calibrated = 1;
    return OK;
}
#endif

F(SetSyncDiv)(int dev, int divider) {
    READY(0);
    CHECK(divider >= 1 && divider <= DIVIDER && (divider & (divider - 1)) == 0);
    d.changed = now();
    return OK;
}

static int rate_is_valid(void) { return now() - d.changed >= 1e-3 * number("STANDIN_WAIT_MS", 100); }

static int within(int value, int low, int high) { return value >= low && value <= high; }

#ifdef PH300
F(SetInputCFD)(int dev, int channel, int level, int zero) {
    READY(0);
    CHECK(within(channel, 0, 1) && within(level, 0, 800) && within(zero, 0, 20));
    return OK;
}
F(SetSyncOffset)(int dev, int offset) { READY(0); CHECK(within(offset, -99999, 99999)); return OK; }
F(EnableRouting)(int dev, int enable) { READY(0); CHECK(within(enable, 0, 1)); return number("STANDIN_ROUTER", 0) ? OK : fault(__func__, UNSUPPORTED); }
F(GetRoutingChannels)(int dev, int *channels) { READY(0); *channels = 4; return OK; }
#else
F(GetNumOfInputChannels)(int dev, int *inputs) { READY(0); *inputs = d.inputs; return OK; }
#define INPUT CHECK(channel >= 0 && channel < d.inputs)
#if defined(HH400) || defined(TH260) || defined(PH330)
static int cfd(int level, int zero) {
#if defined(HH400)
    return within(level, 0, 1000) && within(zero, 0, 40);
#elif defined(TH260)
    return within(level, -1200, 0) && within(zero, -40, 0);
#else
    return within(level, -1500, 0) && within(zero, -100, 0);
#endif
}
static int cfd_is_on(int at) {
    (void)at;
#if defined(TH260)
    return strstr(d.model, "260 N") ? UNSUPPORTED : OK;
#elif defined(PH330)
    return d.triggers[at] == 1 ? OK : WRONG_TRIGGER;
#else
    return OK;
#endif
}
F(SetSyncCFD)(int dev, int level, int zero) {
    READY(0);
    if (cfd_is_on(64)) return fault(__func__, cfd_is_on(64));
    CHECK(cfd(level, zero));
    return OK;
}
F(SetInputCFD)(int dev, int channel, int level, int zero) {
    READY(0);
    INPUT;
    if (cfd_is_on(channel)) return fault(__func__, cfd_is_on(channel));
    CHECK(cfd(level, zero));
    return OK;
}
#endif
#if defined(MH150) || defined(TH260) || defined(PH330)
static int edge_is_on(int at) {
    (void)at;
#if defined(TH260)
    return strstr(d.model, "260 P") ? UNSUPPORTED : OK;
#elif defined(PH330)
    return d.triggers[at] == 0 ? OK : WRONG_TRIGGER;
#else
    return OK;
#endif
}
static int edge_fits(int level, int edge) {
#if defined(PH330)
    return within(level, -1500, 1500) && within(edge, 0, 1);
#else
    return within(level, -1200, 1200) && within(edge, 0, 1);
#endif
}
F(SetSyncEdgeTrg)(int dev, int level, int edge) {
    READY(0);
    if (edge_is_on(64)) return fault(__func__, edge_is_on(64));
    CHECK(edge_fits(level, edge));
    return OK;
}
F(SetInputEdgeTrg)(int dev, int channel, int level, int edge) {
    READY(0);
    INPUT;
    if (edge_is_on(channel)) return fault(__func__, edge_is_on(channel));
    CHECK(edge_fits(level, edge));
    return OK;
}
#endif
#if defined(PH330)
F(SetSyncTrgMode)(int dev, int mode) { READY(0); CHECK(within(mode, 0, 1)); d.triggers[64] = mode; return OK; }
F(SetInputTrgMode)(int dev, int channel, int mode) { READY(0); INPUT; CHECK(within(mode, 0, 1)); d.triggers[channel] = mode; return OK; }
#endif
F(SetSyncChannelOffset)(int dev, int offset) { READY(0); CHECK(within(offset, -99999, 99999)); return OK; }
F(SetInputChannelOffset)(int dev, int channel, int offset) { READY(0); INPUT; CHECK(within(offset, -99999, 99999)); return OK; }
F(SetInputChannelEnable)(int dev, int channel, int enable) { READY(0); INPUT; CHECK(within(enable, 0, 1)); return OK; }
F(GetSyncPeriod)(int dev, double *period) {
    READY(1);
    if (d.no_period) return -48;
    if (!d.running) return fault(__func__, -48);
    *period = now() - d.began < 2 / d.sync_hz ? 0 : 1 / d.sync_hz;
    return OK;
}
F(GetSyncRate)(int dev, int *rate) { READY(1); *rate = rate_is_valid() ? (int)d.sync_hz : 0; d.rated = 1; return OK; }
#if defined(TH260)
F(SetInputDeadTime)(int dev, int channel, int code) { READY(0); INPUT; CHECK(within(code, 0, 7)); return OK; }
#endif
#if defined(MH150) || defined(PH330)
F(SetSyncDeadTime)(int dev, int on, int ps) { READY(0); CHECK(within(on, 0, 1) && within(ps, 800, 160000)); return OK; }
F(SetInputDeadTime)(int dev, int channel, int on, int ps) { READY(0); INPUT; CHECK(within(on, 0, 1) && within(ps, 800, 160000)); return OK; }
F(SetInputHysteresis)(int dev, int code) { READY(0); CHECK(within(code, 0, 1)); return OK; }
F(SetSyncChannelEnable)(int dev, int enable) { READY(0); CHECK(within(enable, 0, 1)); return OK; }
F(SetOflCompression)(int dev, int hold) { READY(0); CHECK(within(hold, 0, 255)); return OK; }
#endif
#endif

F(GetCountRate)(int dev, int channel, int *rate) {
    READY(1);
    CHECK(channel >= 0 && channel <= 63);
    *rate = rate_is_valid() ? (channel == 0 ? (int)d.sync_hz : 50000) : 0;
    d.rated = 1;
    return OK;
}

F(SetBinning)(int dev, int binning) { READY(0); CHECK(within(binning, 0, BINS - 1)); d.binning = binning; return OK; }
F(SetOffset)(int dev, int offset) {
    READY(0);
#if defined(PH300)
    CHECK(within(offset, 0, 1000000000));
#elif defined(HH400)
    CHECK(within(offset, 0, 500000));
#else
    CHECK(within(offset, 0, 100000000));
#endif
    return OK;
}

F(GetResolution)(int dev, double *resolution) {
    READY(1);
    *resolution = (strstr(d.model, "260 N") ? 250.0 : BASE_PS) * (1 << d.binning);
    return OK;
}

F(GetWarnings)(int dev, int *warnings) {
    READY(1);
    *warnings = d.rated ? d.warnings : 0;
    return OK;
}

F(GetWarningsText)(int dev, char *out, int warnings) {
    READY(1);
    sprintf(out, "WARNING\nwarning bits 0x%04x\n\nSee the manual.\n", warnings);
    return OK;
}

F(StartMeas)(int dev, int ms) {
    READY(0);
    CHECK(ms >= 1 && ms <= 360000000);
#if defined(PH300) || defined(HH400)
    if (!d.calibrated) return fault(__func__, NOT_CALIBRATED);
#endif
    d.running = 1;
    d.acquisition_ms = ms;
    d.began = now();
    d.silent = 0;
    if (!d.delivered) d.position = d.made = d.lost = d.skipped = 0; /* only the sync period was measured before */
    d.position = d.loop ? 0 : d.position + d.skipped;
    d.waiting = d.produced = d.skipped = 0;
    d.full = 0;
    d.starts++;
    return OK;
}

/* What the clock has made since the last call goes into the FIFO, in sixteens as the hardware moves them. */
static void produce(void) {
    double elapsed, t = now();
    long long due, room, whole;
    if (!d.running || d.gone) return;
    if (d.sync_at >= 0 && d.delivered + d.waiting >= d.sync_at && !d.sync_gone && d.sync_ms > 0) d.sync_gone = t;
    if (d.sync_gone && d.sync_ms > 0 && t - d.sync_gone >= 1e-3 * d.sync_ms) {
        d.silent += d.mode == 3 ? t - d.sync_gone : 0;
        d.sync_ms = 0;
    }
    if (d.rate <= 0) {
        due = d.length - d.position;
        if (d.sync_at >= 0 && d.sync_ms > 0 && d.mode == 3) due = d.sync_at - d.position;
        if (due > d.fifo - d.waiting) due = d.fifo - d.waiting;
        if (due < 0) due = 0;
        d.waiting += due;
        d.position += due;
        d.made += due;
        return;
    }
    if (d.sync_gone && d.sync_ms > 0 && d.mode == 3) return;
    elapsed = t - d.began;
    if (elapsed > 1e-3 * d.acquisition_ms) elapsed = 1e-3 * d.acquisition_ms;
    whole = (long long)(d.rate * (elapsed - d.silent)) / 16 * 16;
    due = whole - d.produced;
    if (!d.loop && due > d.length - d.position) due = d.length - d.position;
    if (due <= 0) return;
    d.produced += due;
    d.made += due;
    room = d.full ? 0 : d.fifo - d.waiting;
    if (due > room) {
        d.full = 1; /* what does not fit is lost, and so is everything after it until the measurement is started anew */
        d.lost += due - room;
        d.skipped += due - room;
        due = room;
    }
    d.waiting += due;
    d.position += due;
}

static int between(const long long *range) { return d.delivered >= range[0] && d.delivered < range[1]; }

F(GetFlags)(int dev, int *flags) {
    READY(1);
    produce();
    if (d.full_at >= 0 && d.delivered >= d.full_at && !d.full_done && d.running) {
        d.full = d.full_done = 1;
        d.lost += d.full_lost;
        d.made += d.full_lost;
        d.skipped += d.full_lost;
    }
    *flags = (d.full ? FULL : 0) | (d.running ? RUNNING : 0) | (d.sync_gone && d.sync_ms > 0 ? SYNC : 0)
        | (between(d.ref) ? REF : 0) | (between(d.dropped) ? DROPPED : 0)
        | (d.system_at >= 0 && d.delivered >= d.system_at ? SYSTEM : 0);
    return OK;
}

static int read_fifo(int dev, unsigned *buffer, long long count, int *got) {
    long long i, first;
    if (dev != 1 || !d.open) return fault("ReadFiFo", NOT_OPEN);
    *got = 0;
    if (d.vanish_at >= 0 && d.delivered >= d.vanish_at) d.gone = 1;
    if (d.gone) return BULK;
    d.reads++;
    produce();
    if (count > d.waiting) count = d.waiting;
    if (d.vanish_at >= 0 && count > d.vanish_at - d.delivered) count = d.vanish_at - d.delivered;
    if (!d.full_done && d.full_at >= 0 && count > d.full_at - d.delivered) count = d.full_at - d.delivered;
    first = d.position - d.waiting;
    for (i = 0; i < count;) {
        long long at = d.loop ? (first + i) % d.length : first + i, part = count - i;
        if (part > d.length - at) part = d.length - at;
        memcpy(buffer + i, d.records + at, 4 * part);
        i += part;
    }
    d.waiting -= count;
    d.delivered += count;
    *got = (int)count;
    return OK;
}

#if defined(MH150) || defined(PH330)
F(ReadFiFo)(int dev, unsigned *buffer, int *got) { return read_fifo(dev, buffer, MAX_READ, got); }
#else
F(ReadFiFo)(int dev, unsigned *buffer, int count, int *got) {
    CHECK(count >= 128 && count <= MAX_READ);
    return read_fifo(dev, buffer, count, got);
}
#endif

F(CTCStatus)(int dev, int *done) {
    READY(1);
    produce();
    *done = !d.running || now() - d.began >= 1e-3 * d.acquisition_ms
        || (d.rate <= 0 && d.position >= d.length && d.waiting == 0);
    return OK;
}

F(StopMeas)(int dev) {
    READY(1);
    produce();
    d.stopped_at = now();
    d.running = 0;
    d.stops++;
    return OK;
}

__attribute__((visibility("default"))) long long standin_number(const char *name) {
    return !strcmp(name, "made") ? d.made : !strcmp(name, "delivered") ? d.delivered : !strcmp(name, "lost") ? d.lost
        : !strcmp(name, "waiting") ? d.waiting : !strcmp(name, "starts") ? d.starts : !strcmp(name, "stops") ? d.stops
        : !strcmp(name, "reads") ? d.reads : !strcmp(name, "errors") ? d.errors : !strcmp(name, "open") ? d.open : -1;
}

__attribute__((visibility("default"))) const char *standin_first_error(void) { return d.first_error; }
