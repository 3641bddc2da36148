//go:build linux

package torture

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gtk-onnx/gtk/cli"
)

// A worker is a process that runs one command after another inside itself, a thousand times faster than a process for each. It is watched
// and replaced when it dies, hangs or grows.

// request is a command for a worker, a line of JSON on its standard input.
type request struct {
	Dir  string
	Args []string
}

// replyFD is the descriptor that a worker writes outcomes to, a line of JSON each.
const replyFD = 3

// Worker is the main program of a worker process.
func Worker() error {
	if err := os.Setenv("GTK_THREADS", "1"); err != nil {
		return err
	}
	debug.SetTraceback("all")
	in := bufio.NewReader(os.Stdin)
	reply := json.NewEncoder(os.NewFile(replyFD, "reply"))
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return nil // the campaign is over
		}
		var r request
		if err := json.Unmarshal(line, &r); err != nil {
			return err
		}
		if err := os.Chdir(r.Dir); err != nil {
			return err
		}
		if err := reply.Encode(run(r.Args)); err != nil {
			return err
		}
	}
}

// run runs a command in this process.
func run(args []string) *outcome {
	if resident("VmRSS:") > 160<<20 {
		debug.FreeOSMemory()
	}
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // the peak begins anew, where that is allowed
	var out, stderr head
	o := &outcome{Args: args}
	begin, from := time.Now(), used()
	o.Code = cli.Main(append([]string{"gtk"}, args...), strings.NewReader(""), &out, &stderr)
	o.Wall, o.CPU = time.Since(begin), used()-from
	o.Stdout, o.Stderr, o.Peak = out.Bytes(), stderr.Bytes(), resident("VmHWM:")
	return o
}

// used is the time of the processor that this process has used.
func used() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resident is a field of the memory of this process, in bytes.
func resident(field string) int64 {
	b, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(b), field)
	kib, _ := strconv.ParseInt(strings.Fields(rest + " 0")[0], 10, 64)
	return kib << 10
}

// client starts workers and gives them commands.
type client struct {
	command []string
	dir     string
	proc    *exec.Cmd
	in      *os.File
	out     *bufio.Reader
	stderr  *head
	own     int64 // peak of memory of this process when it was started
	served  int   // commands
}

// most is how many commands a worker runs before another takes its place.
const most = 400

func (c *client) begin() error {
	c.stderr, c.served = &head{}, 0
	inR, inW, err := os.Pipe()
	if err != nil {
		return err
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		return err
	}
	c.proc = exec.Command(c.command[0], c.command[1:]...)
	c.proc.Stdin, c.proc.Stdout, c.proc.Stderr, c.proc.ExtraFiles = inR, c.stderr, c.stderr, []*os.File{outW}
	c.proc.Dir, c.proc.WaitDelay = c.dir, 5*time.Second
	c.own = slim()
	err = c.proc.Start()
	inR.Close()
	outW.Close()
	if err != nil {
		return err
	}
	c.in, c.out = inW, bufio.NewReader(outR)
	return nil
}

func (c *client) close() {
	if c.proc != nil {
		c.in.Close()
		_ = c.proc.Process.Kill()
		_ = c.proc.Wait() // killed
		c.proc = nil
	}
}

// run gives a command to the worker.
func (c *client) run(dir string, l limits, args ...string) (*outcome, error) {
	if c.proc != nil && c.served >= most {
		c.close()
	}
	if c.proc == nil {
		if err := c.begin(); err != nil {
			return nil, err
		}
	}
	c.served++
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(request{dir, args})
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	done, watched := make(chan struct{}), make(chan string, 1)
	p := c.proc.Process
	go func() {
		why := watch(p.Pid, l, done)
		if why != "" {
			stop(p, why, done)
		}
		watched <- why
	}()
	_, err = c.in.Write(append(b, '\n'))
	var line []byte
	if err == nil {
		line, err = c.out.ReadBytes('\n')
	}
	var o outcome
	if err == nil {
		err = json.Unmarshal(line, &o)
	}
	close(done)
	why := <-watched
	if err == nil && (why == "" || o.Code == 130) {
		o.Stopped = why
		return &o, nil
	}
	c.in.Close()
	werr := c.proc.Wait()
	o = outcome{Args: args, Code: -1, Stopped: why, Wall: time.Since(begin), Stderr: c.stderr.Bytes()}
	if why == "" {
		o.Signal = "death"
		var exit *exec.ExitError
		if errors.As(werr, &exit) {
			o.Code = exit.ExitCode()
		}
		o.Stderr = append(o.Stderr, fmt.Sprintf("\n(%v)", werr)...)
	}
	if u, ok := c.proc.ProcessState.SysUsage().(*syscall.Rusage); ok {
		o.Peak = peakOf(u, c.own)
	}
	c.proc = nil
	return &o, nil
}
