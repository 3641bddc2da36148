//go:build linux

package torture

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gtk-onnx/gtk/internal/shown"
)

// limits are what one command may take.
type limits struct {
	cpu   time.Duration // of the processor
	wall  time.Duration // in which it must end, however busy the machine is
	bytes int64         // of memory, resident at once
	codes []int         // the exit codes that are right
}

// The limits of a mutant and of a bomb.
var (
	mutantLimits = limits{cpu: 10 * time.Second, wall: time.Minute, bytes: 1 << 30, codes: []int{0, 2, 3, 4}}
	bombLimits   = limits{cpu: 20 * time.Second, wall: 90 * time.Second, bytes: 1 << 30, codes: []int{0, 2, 3, 4}}
)

// outcome is how a command ended.
type outcome struct {
	Args    []string
	Code    int    // -1 when a signal ended it
	Signal  string // that ended it
	Stopped string // why we stopped it: hang, slow or memory
	Stdout  []byte // the first MiB
	Stderr  []byte // the first MiB
	CPU     time.Duration
	Wall    time.Duration
	Peak    int64 // bytes
}

func (o *outcome) String() string {
	return fmt.Sprintf("gtk %s: exit %d%s%s, %.1f s of the processor, %.1f s, %d MiB\n%s", strings.Join(o.Args, " "), o.Code, o.Signal,
		o.Stopped,
		o.CPU.Seconds(), o.Wall.Seconds(), o.Peak>>20, short(string(o.Stderr), 4000))
}

var traces = []string{"goroutine ", "panic:", "fatal error:", "runtime:", "SIGSEGV"}

// wrong is the ways in which an outcome is not what is promised, as words for a signature.
func (o *outcome) wrong(l limits) (ways []string) {
	stderr := string(o.Stderr)
	where := place(stderr)
	switch {
	case o.Stopped != "":
		file, _, _ := strings.Cut(where, ":")
		return []string{o.Stopped + file}
	case o.Signal != "":
		return []string{"signal-" + o.Signal + where}
	case o.Code == 70:
		return []string{"exit-70" + where}
	}
	for _, s := range traces {
		if strings.Contains(stderr, s) && !strings.Contains(s, " ") || strings.Contains(stderr, "\n"+s) || strings.HasPrefix(stderr, s) {
			return []string{"trace" + where}
		}
	}
	if !slices.Contains(l.codes, o.Code) {
		ways = append(ways, fmt.Sprintf("exit-%d", o.Code))
	}
	if o.CPU > l.cpu {
		ways = append(ways, "slow")
	}
	if o.Peak > l.bytes {
		ways = append(ways, "memory")
	}
	asJSON := slices.Contains(o.Args, "--json")
	if o.Code > 1 && o.Code != 130 {
		ways = append(ways, o.message()...)
	}
	if asJSON && len(o.Stdout) < 1<<20 && !json.Valid(o.Stdout) && (o.Code != 1 || len(o.Stdout) > 0) {
		ways = append(ways, "json")
	}
	if !asJSON && !printable(o.Stdout) || !printable(o.Stderr) {
		ways = append(ways, "control")
	}
	return ways
}

// endedWhenAsked reports whether a command that took long ended when it was interrupted.
func (o *outcome) endedWhenAsked() bool {
	return (o.Stopped == "slow" || o.Stopped == "hang") && o.Code == 130
}

// message checks that there is one message.
func (o *outcome) message() (ways []string) {
	lines := strings.Split("\n"+string(o.Stderr), "\ngtk: ")
	switch n := len(lines) - 1; {
	case n == 0:
		return []string{"no-message"}
	case n > 1:
		ways = append(ways, "messages")
	}
	if last := lines[len(lines)-1]; len(last) < 15 {
		ways = append(ways, "no-message")
	} else if len(last) > 4096 {
		ways = append(ways, "long-message")
	}
	return ways
}

// printable reports whether output can be sent to a terminal.
func printable(b []byte) bool {
	s := string(b)
	if len(s) >= 1<<20 { // perhaps cut within a letter
		s = s[:len(s)-utf8.UTFMax]
	}
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return r != '\n' && r != '\t' && !shown.Safe(r) }) < 0
}

// place is the first line of this module in a trace of a program built with -trimpath, as "/engine/ops/sum.go:42"; "" when there is none.
func place(trace string) string {
	if i := strings.LastIndex(trace, "\npanic("); i >= 0 { // frames before are those of recovering
		trace = trace[i:]
	}
	for line := range strings.Lines(trace) {
		_, at, ours := strings.Cut(line, "github.com/gtk-onnx/gtk/")
		if at = strings.TrimSpace(at); ours && strings.Contains(at, ".go:") && !strings.HasPrefix(at, "internal/torture/") {
			return "/" + strings.Fields(at)[0]
		}
	}
	return ""
}
