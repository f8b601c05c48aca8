// jemalloc takes the place of glibc's malloc by being linked; this is its configuration.

// Two arenas: the control loop and the object store's hardly meet. Pages that are free for a second
// go back to the system: a laptop's daemon is idle nearly always.
extern "C" const char* malloc_conf;
const char* malloc_conf = "narenas:2,dirty_decay_ms:1000,muzzy_decay_ms:0";
