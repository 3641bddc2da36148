// Package failpoint lets a test end the program, or make it fail, at any step by which it changes files. The environment variable
// GTK_FAILPOINT says where: KIND:N:ACTION, the Nth step of that kind from 1. Kinds are create, write, sync, rename, remove, mkdir and
// link, or any for all of them; actions are kill (the default: SIGKILL before the step), half (of a write, half is done before the kill)
// and error (the step fails as on a full disk). With log:FILE nothing fails and every step is appended to FILE, one a line, to be counted.
// Without the variable a step costs a load and a branch.
package failpoint

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Kind is a kind of step.
type Kind string

// The kinds of steps.
const (
	Create Kind = "create" // a file is opened that was not there
	Write  Kind = "write"
	Sync   Kind = "sync"
	Rename Kind = "rename"
	Remove Kind = "remove"
	Mkdir  Kind = "mkdir"
	Link   Kind = "link"
)

var (
	plan = read(os.Getenv("GTK_FAILPOINT"))

	mu   sync.Mutex
	seen int
)

// point is where to fail, or the file to log steps in.
type point struct {
	kind   Kind // "any" for all
	n      int
	action string
	log    string
}

// read is nil for no value. A value that says nothing ends the program: a test that runs nothing would pass.
func read(s string) *point {
	if s == "" {
		return nil
	}
	kind, rest, _ := strings.Cut(s, ":")
	if kind == "log" {
		return &point{log: rest}
	}
	number, action, given := strings.Cut(rest, ":")
	if !given {
		action = "kill"
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || action != "kill" && action != "half" && action != "error" {
		panic("GTK_FAILPOINT: want KIND:N:ACTION or log:FILE, not " + strconv.Quote(s))
	}
	return &point{kind: Kind(kind), n: n, action: action}
}

// At is called before a step of that kind on path. Its error is that of the step, which is not to be done.
func At(k Kind, path string) error {
	if plan == nil {
		return nil
	}
	return plan.at(k, path, nil)
}

// Writing is At for a write; part writes the first half of it.
func Writing(path string, part func()) error {
	if plan == nil {
		return nil
	}
	return plan.at(Write, path, part)
}

func (p *point) at(k Kind, path string, part func()) error {
	mu.Lock()
	defer mu.Unlock()
	if p.log != "" {
		f, err := os.OpenFile(p.log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
		if err != nil {
			panic(err)
		}
		defer f.Close()
		fmt.Fprintln(f, k, path)
		return nil
	}
	if p.kind != "any" && p.kind != k {
		return nil
	}
	if seen++; seen != p.n {
		return nil
	}
	if p.action == "error" {
		return syscall.ENOSPC
	}
	if p.action == "half" && part != nil {
		part()
	}
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		panic(err)
	}
	select {} // until it is dead
}
