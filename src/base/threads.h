// What a thread tells the kernel of itself when it begins. To be called on that thread.
#pragma once

namespace mooring::base {

// What `top -H`, debuggers and perf call it; 15 characters at most.
void name_thread(const char* name);

// Steps back for the threads that serve clients wherever they share a processor (nice, 5 more than it has): whoever
// works for a while and is waited for by nobody who counts milliseconds. The scheduler gives such a thread slices of a
// clock tick, 1 to 4 ms, and a message that comes meanwhile waits for the end of them (sched(7)). What it starts
// inherits it. Where the kernel refuses, nothing changes.
void step_back();

}  // namespace mooring::base
