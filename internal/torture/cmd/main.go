//go:build linux

// Command cmd runs the campaign of package torture; see `make torture`.
package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gtk-onnx/gtk/internal/torture"
)

func main() {
	var c torture.Config
	var list, worker bool
	var minutes float64
	var only string
	flag.Uint64Var(&c.Seed, "seed", 0, "seed of the campaign; 0 takes a fresh one, which is printed")
	flag.StringVar(&only, "kind", "", "kinds, separated by commas; all when empty")
	flag.IntVar(&c.First, "first", 0, "number of the first case of each kind")
	flag.IntVar(&c.Count, "count", 0,
		"mutants, and as many cases of the other kinds as that stands for; 0 with -minutes: until the time is up")
	flag.Float64Var(&minutes, "minutes", 0, "stop then; 0 means no limit")
	flag.StringVar(&c.Bin, "bin", "gtk", "the program")
	flag.StringVar(&c.Shared, "shared", "", "folder with models and data sets")
	flag.StringVar(&c.Keep, "keep", "", "folder for the inputs of failures")
	flag.StringVar(&c.Known, "known", "", "file of known failures")
	flag.BoolVar(&list, "list", false, "list the kinds")
	flag.BoolVar(&worker, "worker", false, "run commands that come on standard input")
	flag.Parse()
	if worker {
		exit(torture.Worker())
	}
	if list {
		names, lines := torture.Kinds()
		for i, n := range names {
			fmt.Printf("%-11s %s\n", n, lines[i])
		}
		return
	}
	self, err := os.Executable()
	if err == nil {
		c.Bin, err = filepath.Abs(c.Bin)
	}
	if err != nil {
		exit(err)
	}
	if only != "" {
		c.Kinds = strings.Split(only, ",")
	}
	if c.Seed == 0 {
		c.Seed = uint64(rand.Uint32())
	}
	if c.Shared != "" {
		if c.Shared, err = filepath.Abs(c.Shared); err != nil {
			exit(err)
		}
	}
	c.Limit = time.Duration(minutes * float64(time.Minute))
	if c.Limit == 0 && c.Count == 0 {
		c.Count = 1000
	}
	c.Worker, c.Out = []string{self, "-worker"}, os.Stdout
	ok, err := torture.Run(c)
	if err != nil {
		exit(err)
	}
	if !ok {
		os.Exit(1)
	}
}

// exit ends the program with err.
func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		os.Exit(2)
	}
	os.Exit(0)
}
