package cli

import (
	"fmt"
	"net/http"
	"runtime"
	"runtime/pprof"
	"strconv"
	"time"
)

// net/http/pprof would do the same, and also print the command line, which is
// nobody's business; it makes the program larger by 0.3 MB.

// profiles lists what there is.
func profiles(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintln(w, "profile?seconds=10   where the processors spend their time")
	for _, p := range pprof.Profiles() {
		fmt.Fprintf(w, "%-20s %d\n", p.Name(), p.Count())
	}
	fmt.Fprintln(w, "\ngo tool pprof http://this-address/debug/pprof/heap reads one; ?debug=1 is for people.")
}

// profile answers with a profile by its name. ?debug= is the level of detail as
// text, ?gc=1 collects the heap's garbage before.
func profile(w http.ResponseWriter, r *http.Request) {
	p := pprof.Lookup(r.PathValue("name"))
	if p == nil {
		http.Error(w, "There is no such profile; /debug/pprof/ lists them.", http.StatusNotFound)
		return
	}
	if r.FormValue("gc") == "1" {
		runtime.GC()
	}
	debug, _ := strconv.Atoi(r.FormValue("debug"))
	w.Header().Set("Content-Type", "application/octet-stream")
	if debug > 0 {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	p.WriteTo(w, debug)
}

// longestProfile is how long one may take.
const longestProfile = 5 * time.Minute

// processorProfile answers with what the processors did in the next ?seconds=, 30
// if it is not said.
func processorProfile(w http.ResponseWriter, r *http.Request) {
	seconds, err := strconv.Atoi(r.FormValue("seconds"))
	if err != nil || seconds <= 0 {
		seconds = 30
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	if err := pprof.StartCPUProfile(w); err != nil {
		http.Error(w, "Somebody else takes a profile now: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	defer pprof.StopCPUProfile()
	select {
	case <-time.After(min(time.Duration(seconds)*time.Second, longestProfile)):
	case <-r.Context().Done():
	}
}
