package cli

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/gtk-onnx/gtk/job"
	"github.com/gtk-onnx/gtk/science"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register("science", func() *ucli.Command {
		return command(&ucli.Command{
			Name: "science", Usage: "repeat a small experiment of a paper, with the control that could embarrass it", ArgsUsage: "NAME [-o FOLDER]",
			Description: "Trains every arm from several seeds on data that is part of the program, and prints tables with means, 95 % intervals\n" +
				"and what they say. gtk science --list lists the experiments; docs/science has what they gave.\n\n" +
				"  gtk science diffgrad\n" +
				"  gtk science diffgrad --seeds 10 -o docs/science",
			Flags: []ucli.Flag{
				&ucli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FOLDER` to write NAME.md into, or FILE.md"},
				&ucli.BoolFlag{Name: "force", Usage: "replace the file"},
				&ucli.BoolFlag{Name: "list", Usage: "list experiments"},
				&ucli.IntFlag{Name: "seeds", Usage: "runs of each arm; 0 is the experiment's own number"},
			},
		}, runScience)
	})
}

// scienceReport is a page, with its first table where the contract of the command line has it.
type scienceReport struct {
	*science.Page
	Table *science.Table `json:"table"`
	Out   string         `json:"out,omitempty"`
}

func runScience(ctx context.Context, e *env, c *ucli.Context) error {
	if c.Bool("list") {
		return e.list(listOf(science.Recipes().Entries()))
	}
	name, err := oneArg(c, "the experiment (--list has them)")
	if err != nil {
		return err
	}
	if _, err := science.Recipes().Lookup(name); err != nil {
		return usagef("%v", err)
	}
	if n := c.Int("seeds"); n < 0 || n == 1 || n > 1000 {
		return usagef("--seeds %d: want 2 to 1000, an interval needs two; or 0", n)
	}
	out := c.String("out")
	if out != "" && !strings.EqualFold(filepath.Ext(out), ".md") {
		out = filepath.Join(out, name+".md")
	}
	if out != "" {
		if err := job.MayWrite(out, c.Bool("force")); err != nil {
			return err
		}
	}
	rep := e.reporter()
	d := job.Doctor(version(), e.Threads)
	page, err := science.Run(ctx, name, science.Config{Seeds: c.Int("seeds"), Threads: e.Threads, Worker: workerCommand(c), Progress: rep.Say})
	if err != nil {
		return err
	}
	page.Command, page.Threads, page.Processor = "gtk science "+name, d.Threads, fmt.Sprintf("%s (%s)", d.CPU, d.ISA)
	if n := c.Int("seeds"); n != 0 {
		page.Command += fmt.Sprintf(" --seeds %d", n)
	}
	if out != "" {
		if err := job.WriteFile(out, func(w io.Writer) error { _, err := w.Write(page.Markdown()); return err }); err != nil {
			return err
		}
	} else if !e.JSON {
		if _, err := (people{e.Stdout}).Write(page.Markdown()); err != nil {
			return err
		}
	}
	r := scienceReport{Page: page, Out: out}
	for _, p := range page.Parts {
		if p.Table != nil {
			r.Table = p.Table
			break
		}
	}
	return e.emit(r)
}
