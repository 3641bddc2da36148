//go:build linux

package torture

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// command is one run of the program in a process of its own.
type command struct {
	args   []string
	dir    string
	env    []string            // beside GTK_THREADS=1
	ulimit string              // options of the shell's ulimit, several with ;
	stdout *os.File            // nil keeps the output
	during func(p *os.Process) // is called when it runs, and may end it
	limits limits
}

// killAt is the memory at which a process is ended at once.
const killAt = 3 << 30

// head keeps the first MiB that is written.
type head struct {
	sync.Mutex
	bytes.Buffer
}

func (h *head) Write(b []byte) (int, error) {
	h.Lock()
	defer h.Unlock()
	if room := 1<<20 - h.Len(); room > 0 {
		h.Buffer.Write(b[:min(len(b), room)])
	}
	return len(b), nil
}

// start starts c; the outcome is that of wait.
func (c *campaign) start(cmd command) (wait func() *outcome, p *os.Process, err error) {
	var x *exec.Cmd
	if cmd.ulimit == "" {
		x = exec.Command(c.Bin, cmd.args...)
	} else {
		var set strings.Builder
		for _, l := range strings.Split(cmd.ulimit, ";") {
			set.WriteString("ulimit " + strings.TrimSpace(l) + " && ")
		}
		x = exec.Command("/bin/sh", append([]string{"-c", set.String() + `exec "$@"`, "sh", c.Bin}, cmd.args...)...)
	}
	var out, stderr head
	x.Dir, x.Stdout, x.Stderr = cmd.dir, &out, &stderr
	if cmd.stdout != nil {
		x.Stdout = cmd.stdout
	}
	x.Env = append(append(os.Environ(), "GTK_THREADS=1", "GOTRACEBACK=all"), cmd.env...)
	x.WaitDelay = 5 * time.Second
	begin := time.Now()
	own := slim()
	if err := x.Start(); err != nil {
		return nil, nil, err
	}
	o := &outcome{Args: cmd.args}
	done, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		o.Stopped = watch(x.Process.Pid, cmd.limits, done)
		if o.Stopped != "" {
			stop(x.Process, o.Stopped, done)
		}
	}()
	return func() *outcome {
		err := x.Wait()
		o.Wall = time.Since(begin)
		close(done)
		<-watched
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			fmt.Fprintf(&stderr, "torture: %v\n", err)
		}
		st := x.ProcessState
		o.Code = st.ExitCode()
		if ws, ok := st.Sys().(syscall.WaitStatus); ok && ws.Signaled() && o.Stopped == "" {
			o.Signal = strings.ReplaceAll(ws.Signal().String(), " ", "-")
		}
		if u, ok := st.SysUsage().(*syscall.Rusage); ok {
			o.Peak = peakOf(u, own)
		}
		o.CPU = st.UserTime() + st.SystemTime()
		o.Stdout, o.Stderr = out.Bytes(), stderr.Bytes()
		return o
	}, x.Process, nil
}

// stop ends a program: one that takes long is asked to, with exit code 130 as its answer; one that does not answer says where it is.
func stop(p *os.Process, why string, done <-chan struct{}) {
	if why != "memory" {
		_ = p.Signal(syscall.SIGINT) // it may have ended
		select {
		case <-done:
			return
		case <-time.After(2 * time.Second):
		}
	}
	_ = p.Signal(syscall.SIGQUIT) // it may have ended
	select {
	case <-done:
		return
	case <-time.After(3 * time.Second):
	}
	_ = p.Kill()
}

// watch looks at a process until done is closed, and says why it must be ended: hang, slow or memory. Times count from now.
func watch(pid int, l limits, done <-chan struct{}) string {
	begin, from := time.Now(), cpuOf(pid)
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return ""
		case <-tick.C:
		}
		switch {
		case residentOf(pid) > killAt:
			return "memory"
		case cpuOf(pid)-from > l.cpu+l.cpu/2:
			return "slow"
		case time.Since(begin) > l.wall:
			return "hang"
		}
	}
}

// cpuOf is the time of the processor that a process has used.
func cpuOf(pid int) time.Duration {
	b, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	_, rest, _ := bytes.Cut(b, []byte(") "))
	f := bytes.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(string(f[11]))
	sys, _ := strconv.Atoi(string(f[12]))
	return time.Duration(user+sys) * (time.Second / 100) // USER_HZ
}

// residentOf is the memory in bytes of a process that is resident.
func residentOf(pid int) int64 {
	b, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "statm"))
	f := bytes.Fields(b)
	if len(f) < 2 {
		return 0
	}
	n, _ := strconv.ParseInt(string(f[1]), 10, 64)
	return n * int64(os.Getpagesize())
}

// exec runs the program to its end.
func (t *trial) exec(cmd command) *outcome {
	if cmd.dir == "" {
		cmd.dir = t.dir
	}
	wait, p, err := t.start(cmd)
	if err != nil {
		t.fail("torture", "%v", err)
		return &outcome{Args: cmd.args, Code: -1}
	}
	if cmd.during != nil {
		cmd.during(p)
	}
	return wait()
}

// must runs the program where it has to succeed for the rest of the trial to make sense.
func (t *trial) must(args ...string) bool {
	o := t.exec(command{args: args, limits: limits{cpu: 2 * time.Minute, wall: 5 * time.Minute}})
	if o.Code != 0 {
		t.fail("setup", "%s", o)
	}
	return o.Code == 0
}

// peakOf is the peak of memory of a program that has ended, 0 where it is not known: what the system tells may be that of this process,
// from which it was made, and which was own then.
func peakOf(u *syscall.Rusage, own int64) int64 {
	peak := int64(u.Maxrss) << 10
	if peak <= own+own/8 {
		return 0
	}
	return peak
}

// slim gives back the memory that this process does not need and forgets its peak, before it makes another. It returns the peak that is
// left.
func slim() int64 {
	own := resident("VmHWM:")
	if own > 64<<20 {
		debug.FreeOSMemory()
		_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // where it is not allowed the peak stays
		own = resident("VmHWM:")
	}
	return own
}
